import type { Caller } from '@holdfast/kernel';
import { IdentityApp } from '../../test/identity-app';
import { ChangeMember } from './change-member.command';
import type { MemberView } from './member';

describe('ChangeMember', () => {
  let app: IdentityApp;
  let owner: Caller;

  beforeAll(async () => void (app = await IdentityApp.start()));
  beforeEach(async () => void (owner = await app.database.caller()));
  afterAll(() => app.close());

  const change = ({ id, version }: MemberView, role: string, by = owner): Promise<MemberView> =>
    app.execute(new ChangeMember(by, { id, version, role }));

  it('changes what the member may do, in the transaction that says so', async () => {
    const member = await app.add(owner, 'admin');
    const changed = await change(member, 'auditor');
    expect(changed).toMatchObject({ role: 'auditor', version: '2' });
    const scopes = (await app.as(member, owner.tenantId))?.scopes;
    expect(scopes).toContain('audit:read');
    expect(scopes).not.toContain('members:write');
    expect((await app.events(member.id)).at(-1)).toEqual({
      type: 'identity.member.changed',
      data: { role: 'auditor' },
    });
  });

  it('leaves an owner, however many of them step down at once', async () => {
    const owners = await Promise.all([1, 2, 3, 4].map(() => app.add(owner, 'owner')));
    const outcomes = await Promise.allSettled(owners.map((each) => change(each, 'member')));
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(refused).toMatchObject([{ code: 'identity.last_owner' }]);
  });

  it('is not for somebody who holds less than the member or the role', async () => {
    const [boss] = [await app.add(owner, 'owner'), await app.add(owner, 'owner')];
    const admin = await app.add(owner, 'admin');
    const by = await app.as(admin, owner.tenantId);
    await expect(change(boss, 'member', by)).rejects.toMatchObject({ code: 'identity.scope_not_held' });
    await expect(change(admin, 'owner', by)).rejects.toMatchObject({ code: 'identity.scope_not_held' });
  });

  it('refuses a version that the member no longer has', async () => {
    const member = await app.add(owner, 'member');
    await change(member, 'admin');
    await expect(change(member, 'auditor')).rejects.toMatchObject({ code: 'resource.version_mismatch' });
  });
});
