import type { Caller } from '@holdfast/kernel';
import { IdentityApp } from '../../test/identity-app';
import { CreateRole } from './create-role.command';
import { Roles } from './roles.query';

describe('CreateRole', () => {
  let app: IdentityApp;
  let owner: Caller;

  beforeAll(async () => void (app = await IdentityApp.start()));
  beforeEach(async () => void (owner = await app.database.caller()));
  afterAll(() => app.close());

  it('adds a role behind the built-in ones', async () => {
    const role = await app.defineRole(owner, 'audit:read');
    const { data } = await app.queries.execute(new Roles(owner, {}));
    expect(data.map(({ id }) => id)).toEqual(['owner', 'admin', 'member', 'auditor', role.id]);
  });

  it('takes a name once', async () => {
    const input = { name: 'bookkeeper', permissions: ['ledger:read'] };
    await app.execute(new CreateRole(owner, input));
    await expect(app.execute(new CreateRole(owner, input))).rejects.toMatchObject({
      code: 'identity.role_name_taken',
    });
    await app.execute(new CreateRole(await app.database.caller(), input));
  });

  it('is refused to who holds less, and to a plan without the feature', async () => {
    const role = await app.defineRole(owner, 'roles:write');
    const lesser = (await app.as(await app.add(owner, role.id), owner.tenantId)) ?? owner;
    await expect(app.defineRole(lesser, 'audit:read')).rejects.toMatchObject({
      code: 'identity.scope_not_held',
    });
    await expect(app.defineRole({ ...owner, plan: 'free' }, 'audit:read')).rejects.toMatchObject({
      code: 'tenants.feature_not_in_plan',
    });
  });
});
