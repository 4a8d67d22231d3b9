import type { Caller, Principal } from '@holdfast/kernel';
import { IdentityApp, principalOf } from '../../test/identity-app';
import { ChangeMember } from '../members/change-member.command';
import type { MemberView } from '../members/member';
import { RemoveMember } from '../members/remove-member.command';
import { AcceptInvitation } from './accept-invitation.command';
import { CreateInvitation } from './create-invitation.command';

describe('AcceptInvitation', () => {
  let app: IdentityApp;
  let owner: Caller;

  beforeAll(async () => void (app = await IdentityApp.start()));
  beforeEach(async () => void (owner = await app.database.caller()));
  afterAll(() => app.close());

  const invite = async (email: string | null = null): Promise<{ id: string; token: string }> => {
    const inviting = new CreateInvitation(owner, { role: 'admin', email, expiresInDays: 7 });
    const { id } = await app.execute(inviting);
    return { id, token: inviting.token.text };
  };
  const accept = (token: string, principal: Principal): Promise<MemberView> =>
    app.execute(new AcceptInvitation(owner, token, principal));

  it('makes a member with the role, once, and tells the same person the same again', async () => {
    const { id, token } = await invite();
    const member = await accept(token, principalOf('anna'));
    expect(member).toMatchObject({ role: 'admin', source: 'invitation', subject: 'anna' });
    expect(await accept(token, principalOf('anna'))).toEqual(member);
    await expect(accept(token, principalOf('bert'))).rejects.toMatchObject({
      code: 'identity.invitation_invalid',
    });
    expect((await app.events(id)).at(-1)).toEqual({
      type: 'identity.invitation.accepted',
      data: { memberId: member.id },
    });
  });

  it('admits one of many who come with one token at once', async () => {
    const { token } = await invite();
    const people = Array.from({ length: 8 }, (_, i) => principalOf(`person-${i}`));
    const outcomes = await Promise.allSettled(people.map((person) => accept(token, person)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('wants the address that the invitation names', async () => {
    const { token } = await invite('Anna@example.com');
    for (const claims of [
      {},
      { email: 'bert@example.com' },
      { email: 'anna@example.com', email_verified: false },
    ])
      await expect(accept(token, principalOf('anna', claims))).rejects.toMatchObject({
        code: 'identity.invitation_for_another',
      });
    const member = await accept(token, principalOf('anna', { email: 'anna@example.com' }));
    expect(member.email).toBe('Anna@example.com');
  });

  it('gives nothing for somebody who could not give it any more', async () => {
    const [removed, demoted, kept] = await Promise.all([1, 2, 3].map(() => app.add(owner, 'admin')));
    const outcomes = async (inviter: MemberView | undefined, lose: (by: MemberView) => Promise<unknown>) => {
      if (!inviter) throw new Error('no inviter');
      const by = (await app.as(inviter, owner.tenantId)) ?? owner;
      const inviting = new CreateInvitation(by, { role: 'admin', expiresInDays: 7 });
      await app.execute(inviting);
      await lose(inviter);
      const [outcome] = await Promise.allSettled([accept(inviting.token.text, principalOf(inviter.id))]);
      return outcome.status === 'rejected' ? (outcome.reason as { code: string }).code : outcome.status;
    };
    expect([
      await outcomes(removed, (by) => app.execute(new RemoveMember(owner, by))),
      await outcomes(demoted, ({ id, version }) =>
        app.execute(new ChangeMember(owner, { id, version, role: 'auditor' })),
      ),
      await outcomes(kept, async () => {}),
    ]).toEqual(['identity.invitation_invalid', 'identity.invitation_invalid', 'fulfilled']);
  });

  it('refuses a token that has expired, and one that never was', async () => {
    const { id, token } = await invite();
    await app.database.admin(`update identity.invitations set expires_at = clock_timestamp() where id = $1`, [
      id,
    ]);
    const other = `${token.slice(0, -1)}${token.endsWith('a') ? 'b' : 'a'}`;
    for (const wrong of [token, other])
      await expect(accept(wrong, principalOf('anna'))).rejects.toMatchObject({
        code: 'identity.invitation_invalid',
      });
  });
});
