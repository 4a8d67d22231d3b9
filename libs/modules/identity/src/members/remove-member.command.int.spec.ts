import type { Caller } from '@holdfast/kernel';
import { IdentityApp } from '../../test/identity-app';
import { ChangeMember } from './change-member.command';
import { MemberById } from './members.query';
import type { MemberView } from './member';
import { RemoveMember } from './remove-member.command';

describe('RemoveMember', () => {
  let app: IdentityApp;
  let owner: Caller;

  beforeAll(async () => void (app = await IdentityApp.start()));
  beforeEach(async () => void (owner = await app.database.caller()));
  afterAll(() => app.close());

  const remove = ({ id, version }: MemberView, by = owner): Promise<unknown> =>
    app.execute(new RemoveMember(by, { id, version }));

  it('ends the membership and leaves a row without a role', async () => {
    const member = await app.add(owner, 'admin', 'anna');
    await remove(member);
    expect(await app.as(member, owner.tenantId)).toBeUndefined();
    const left = await app.queries.execute(new MemberById(owner, { id: member.id }));
    expect(left).toMatchObject({ role: null, removedAt: expect.any(String) as string });
    const { id, version } = left;
    await expect(app.execute(new ChangeMember(owner, { id, version, role: 'admin' }))).rejects.toMatchObject({
      code: 'identity.member_removed',
    });
    expect((await app.add(owner, 'member', 'anna')).id).not.toBe(member.id);
  });

  it('leaves an owner, however many remove each other at once', async () => {
    const owners = await Promise.all([1, 2, 3, 4].map(() => app.add(owner, 'owner')));
    const outcomes = await Promise.allSettled(owners.map((each) => remove(each)));
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(refused).toMatchObject([{ code: 'identity.last_owner' }]);
  });

  it('answers for the member of another tenant as for one that never was', async () => {
    const member = await app.add(owner, 'member');
    await expect(remove(member, await app.database.caller())).rejects.toMatchObject({
      code: 'resource.not_found',
    });
  });
});
