import type { Caller } from '@holdfast/kernel';
import { IdentityApp } from '../../test/identity-app';

describe('AddMember', () => {
  let app: IdentityApp;
  let owner: Caller;

  beforeAll(async () => void (app = await IdentityApp.start()));
  beforeEach(async () => void (owner = await app.database.caller()));
  afterAll(() => app.close());

  it('gives a person a grant of this tenant with the permissions of their role', async () => {
    const role = await app.defineRole(owner, 'audit:read', 'tenant:read');
    const member = await app.add(owner, role.id);
    expect(await app.as(member, owner.tenantId)).toMatchObject({
      tenantId: owner.tenantId,
      actor: `member:${member.id}`,
      scopes: ['audit:read', 'tenant:read'],
    });
    const stranger = await app.database.caller();
    expect(await app.as(member, stranger.tenantId)).toBeUndefined();
  });

  it('knows a role of another tenant as little as one that never was', async () => {
    const foreign = await app.defineRole(await app.database.caller(), 'tenant:read');
    await expect(app.add(owner, foreign.id)).rejects.toMatchObject({
      code: 'request.invalid',
      errors: [{ pointer: '/role' }],
    });
  });

  it('makes one member of a person who is added many times at once', async () => {
    const adding = Array.from({ length: 8 }, () => app.add(owner, 'member', 'anna'));
    const outcomes = await Promise.allSettled(adding);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ code: 'identity.member_exists' });
  });

  it('leaves one event, with ids alone', async () => {
    const member = await app.add(owner, 'auditor', 'anna@example.com');
    expect(await app.events(member.id)).toEqual([
      { type: 'identity.member.added', data: { role: 'auditor', source: 'added' } },
    ]);
  });
});
