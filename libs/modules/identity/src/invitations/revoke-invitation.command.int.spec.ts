import type { Caller } from '@holdfast/kernel';
import { IdentityApp, principalOf } from '../../test/identity-app';
import { AcceptInvitation } from './accept-invitation.command';
import { CreateInvitation } from './create-invitation.command';
import { RevokeInvitation } from './revoke-invitation.command';

describe('RevokeInvitation', () => {
  let app: IdentityApp;
  let owner: Caller;

  beforeAll(async () => void (app = await IdentityApp.start()));
  beforeEach(async () => void (owner = await app.database.caller()));
  afterAll(() => app.close());

  it('ends an invitation, once, and lets its role be removed', async () => {
    const role = await app.defineRole(owner, 'tenant:read');
    const inviting = new CreateInvitation(owner, { role: role.id, expiresInDays: 7 });
    const { id } = await app.execute(inviting);
    await app.execute(new RevokeInvitation(owner, { id }));
    await app.execute(new RevokeInvitation(owner, { id }));
    expect((await app.events(id)).map(({ type }) => type)).toEqual([
      'identity.invitation.created',
      'identity.invitation.revoked',
    ]);
    await expect(
      app.execute(new AcceptInvitation(owner, inviting.token.text, principalOf('anna'))),
    ).rejects.toMatchObject({ code: 'identity.invitation_invalid' });
  });

  it('takes nothing back that was accepted, and nothing of another tenant', async () => {
    const inviting = new CreateInvitation(owner, { role: 'member', expiresInDays: 7 });
    const { id } = await app.execute(inviting);
    const stranger = await app.database.caller();
    await expect(app.execute(new RevokeInvitation(stranger, { id }))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
    await app.execute(new AcceptInvitation(owner, inviting.token.text, principalOf('anna')));
    await expect(app.execute(new RevokeInvitation(owner, { id }))).rejects.toMatchObject({
      code: 'identity.invitation_accepted',
    });
  });
});
