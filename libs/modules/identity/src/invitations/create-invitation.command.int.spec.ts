import type { Caller } from '@holdfast/kernel';
import { IdentityApp } from '../../test/identity-app';
import { CreateInvitation } from './create-invitation.command';
import { Invitations } from './invitations.query';

describe('CreateInvitation', () => {
  let app: IdentityApp;
  let owner: Caller;

  beforeAll(async () => void (app = await IdentityApp.start()));
  beforeEach(async () => void (owner = await app.database.caller()));
  afterAll(() => app.close());

  it('shows its token once, and stores it nowhere', async () => {
    const input = { role: 'member', email: 'anna@example.com', expiresInDays: 7 };
    const inviting = (): CreateInvitation =>
      new CreateInvitation(owner, input, { key: 'k', replayed: false });
    const [first, second] = [inviting(), inviting()];
    const shown = first.withToken(await app.execute(first));
    expect(shown).toMatchObject({ status: 'pending', email: 'anna@example.com', token: first.token.text });
    expect(second.withToken(await app.execute(second))).toEqual({ ...shown, token: null });
    const tables = await app.database.admin<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
    );
    for (const { name } of tables) {
      const found = await app.database.admin(`select 1 from ${name} t where t::text like '%' || $1 || '%'`, [
        first.token.text.slice(37),
      ]);
      expect([name, found]).toEqual([name, []]);
    }
  });

  it('is announced without the address', async () => {
    const { id } = await app.execute(
      new CreateInvitation(owner, { role: 'auditor', email: 'anna@example.com', expiresInDays: 1 }),
    );
    const [event] = await app.events(id);
    expect(event).toMatchObject({ type: 'identity.invitation.created', data: { role: 'auditor' } });
    expect(JSON.stringify(event)).not.toContain('example.com');
  });

  it('gives no role away that its maker does not hold', async () => {
    const admin = await app.as(await app.add(owner, 'admin'), owner.tenantId);
    await expect(
      app.execute(new CreateInvitation(admin ?? owner, { role: 'owner', expiresInDays: 7 })),
    ).rejects.toMatchObject({ code: 'identity.scope_not_held' });
  });

  it('is listed for its own tenant alone', async () => {
    await app.execute(new CreateInvitation(owner, { role: 'member', expiresInDays: 7 }));
    const stranger = await app.database.caller();
    const seen = await app.queries.execute(new Invitations(stranger, { limit: 10 }));
    expect(seen.data).toEqual([]);
  });
});
