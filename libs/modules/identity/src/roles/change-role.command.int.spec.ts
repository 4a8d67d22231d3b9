import { type Caller, scopesOfRole } from '@holdfast/kernel';
import { IdentityApp } from '../../test/identity-app';
import { ChangeMember } from '../members/change-member.command';
import type { MemberView } from '../members/member';
import { ChangeRole } from './change-role.command';

describe('ChangeRole', () => {
  let app: IdentityApp;
  let owner: Caller;

  beforeAll(async () => void (app = await IdentityApp.start()));
  beforeEach(async () => void (owner = await app.database.caller()));
  afterAll(() => app.close());

  it('changes what everybody may do who holds it, also who is added meanwhile', async () => {
    const role = await app.defineRole(owner, 'tenant:read', 'audit:read');
    const before = await app.add(owner, role.id);
    const [, ...meanwhile] = await Promise.all([
      app.execute(new ChangeRole(owner, { ...role, permissions: ['tenant:read'] })),
      ...Array.from({ length: 5 }, () => app.add(owner, role.id)),
    ]);
    for (const member of [before, ...meanwhile])
      expect((await app.as(member, owner.tenantId))?.scopes).toEqual(['tenant:read']);
  });

  it('touches nobody who has left it meanwhile', async () => {
    const role = await app.defineRole(owner, 'tenant:read', 'audit:read');
    const members = await Promise.all(Array.from({ length: 8 }, () => app.add(owner, role.id)));
    await Promise.all([
      ...members.slice(0, 4).map((member) => leave(member)),
      app.execute(new ChangeRole(owner, { ...role, permissions: ['tenant:read', 'keys:write'] })),
      ...members.slice(4).map((member) => leave(member)),
    ]);
    for (const member of members)
      expect((await app.as(member, owner.tenantId))?.scopes).toEqual(scopesOfRole('auditor'));
  });

  const leave = ({ id, version }: MemberView): Promise<MemberView> =>
    app.execute(new ChangeMember(owner, { id, version, role: 'auditor' }));

  it('does not let its holders widen it', async () => {
    const role = await app.defineRole(owner, 'roles:write');
    const by = (await app.as(await app.add(owner, role.id), owner.tenantId)) ?? owner;
    const widening = { ...role, permissions: ['roles:write', 'audit:read'] };
    await expect(app.execute(new ChangeRole(by, widening))).rejects.toMatchObject({
      code: 'identity.scope_not_held',
    });
    // Nor where only the copy of their scopes says that they may: the database looks at the grant.
    await expect(app.execute(new ChangeRole({ ...by, scopes: ['*'] }, widening))).rejects.toMatchObject({
      code: 'identity.scope_not_held',
    });
  });
});
