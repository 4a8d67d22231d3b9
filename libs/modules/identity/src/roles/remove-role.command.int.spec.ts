import type { Caller } from '@holdfast/kernel';
import { IdentityApp } from '../../test/identity-app';
import { CreateInvitation } from '../invitations/create-invitation.command';
import { RemoveMember } from '../members/remove-member.command';
import { RemoveRole } from './remove-role.command';

describe('RemoveRole', () => {
  let app: IdentityApp;
  let owner: Caller;

  beforeAll(async () => void (app = await IdentityApp.start()));
  beforeEach(async () => void (owner = await app.database.caller()));
  afterAll(() => app.close());

  it('waits until nobody holds the role', async () => {
    const role = await app.defineRole(owner, 'tenant:read');
    const member = await app.add(owner, role.id);
    await expect(app.execute(new RemoveRole(owner, role))).rejects.toMatchObject({
      code: 'identity.role_in_use',
    });
    await app.execute(new RemoveMember(owner, member));
    await app.execute(new RemoveRole(owner, role));
    expect((await app.events(role.id)).map(({ type }) => type)).toEqual([
      'identity.role.created',
      'identity.role.removed',
    ]);
  });

  it('waits for no invitation that has expired', async () => {
    const role = await app.defineRole(owner, 'tenant:read');
    const { id } = await app.execute(new CreateInvitation(owner, { role: role.id, expiresInDays: 1 }));
    await expect(app.execute(new RemoveRole(owner, role))).rejects.toMatchObject({
      code: 'identity.role_in_use',
    });
    await app.database.admin(`update identity.invitations set expires_at = clock_timestamp() where id = $1`, [
      id,
    ]);
    await app.execute(new RemoveRole(owner, role));
  });

  it('never leaves somebody with a role that is gone', async () => {
    const role = await app.defineRole(owner, 'tenant:read');
    const outcomes = await Promise.allSettled([
      app.execute(new RemoveRole(owner, role)),
      ...Array.from({ length: 5 }, () => app.add(owner, role.id)),
    ]);
    const done = outcomes.map(({ status }) => status === 'fulfilled');
    // Either the role went and nobody got it, or somebody got it and it stayed.
    expect([
      [true, false],
      [false, true],
    ]).toContainEqual([done[0], done.slice(1).some(Boolean)]);
  });
});
