import type { Caller } from '@holdfast/kernel';
import { IdentityApp, ISSUER } from '../../test/identity-app';
import { AddIssuer, addIssuerInput } from './add-issuer.command';

describe('AddIssuer', () => {
  let app: IdentityApp;
  let owner: Caller;
  const input = addIssuerInput.parse({ issuer: ISSUER.issuer, claim: 'org', claimValue: 'acme' });

  beforeAll(async () => void (app = await IdentityApp.start()));
  beforeEach(async () => void (owner = await app.database.caller()));
  afterAll(() => app.close());

  it('takes an issuer that is trusted, and no other', async () => {
    const added = await app.execute(new AddIssuer(owner, input));
    expect(added).toMatchObject({ claim: 'org', claimValue: 'acme', roles: [], defaultRole: null });
    const unknown = { ...input, issuer: 'https://elsewhere.example' };
    await expect(app.execute(new AddIssuer(owner, unknown))).rejects.toMatchObject({
      errors: [{ pointer: '/issuer' }],
    });
    expect(await app.events(added.id)).toEqual([{ type: 'identity.issuer.added', data: {} }]);
  });

  it('makes nobody an owner, and gives no role that its maker does not hold', async () => {
    expect(addIssuerInput.safeParse({ ...input, defaultRole: 'owner' }).success).toBe(false);
    expect(addIssuerInput.safeParse({ ...input, roles: [{ value: 'boss', role: 'owner' }] }).success).toBe(
      false,
    );
    const role = await app.defineRole(owner, 'issuers:write');
    const by = (await app.as(await app.add(owner, role.id), owner.tenantId)) ?? owner;
    for (const more of [{ defaultRole: 'admin' }, { roles: [{ value: 'staff', role: 'member' }] }])
      await expect(app.execute(new AddIssuer(by, { ...input, ...more }))).rejects.toMatchObject({
        code: 'identity.scope_not_held',
      });
  });

  it('is not in every plan', async () => {
    await expect(app.execute(new AddIssuer({ ...owner, plan: 'free' }, input))).rejects.toMatchObject({
      code: 'tenants.feature_not_in_plan',
    });
  });
});
