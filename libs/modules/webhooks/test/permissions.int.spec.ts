import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newId, scopesOfRole } from '@holdfast/kernel';
import { TestDatabase } from '@holdfast/testing';

const MIGRATION = '../../../../prisma/migrations/20261126194100_permit_webhooks/migration.sql';
const OURS = ['webhooks:read', 'webhooks:write'];

/** What members may do is stored with them, so a release that adds a permission to a role gives it to them. */
describe('The migration that permits webhooks', () => {
  let database: TestDatabase;
  beforeAll(async () => void (database = await TestDatabase.create()));
  afterAll(() => database.drop());

  it('gives members of built-in roles what their role has gained, once, and nobody else anything', async () => {
    const tenantId = newId();
    const before = (scopes: readonly string[]): string[] => scopes.filter((scope) => !OURS.includes(scope));
    const members = {
      admin: before(scopesOfRole('admin')),
      auditor: before(scopesOfRole('auditor')),
      member: before(scopesOfRole('member')),
      owner: ['*'],
      custom: ['ledger:read', 'audit:read'],
    };
    for (const [subject, scopes] of Object.entries(members))
      await database.admin(
        `insert into auth.memberships (issuer, subject, tenant_id, member_id, scopes) values ('https://i', $1, $2, $3, $4)`,
        [subject, tenantId, newId(), scopes],
      );
    const migration = readFileSync(join(__dirname, MIGRATION), 'utf8');
    await database.admin(migration);
    await database.admin(migration);
    const rows = await database.admin<{ subject: string; scopes: string[] }>(
      'select subject, scopes from auth.memberships where tenant_id = $1',
      [tenantId],
    );
    const gained = rows.map(({ subject, scopes }) => [
      subject,
      scopes.filter((scope) => OURS.includes(scope)),
    ]);
    expect(Object.fromEntries(gained)).toEqual({
      admin: OURS,
      auditor: ['webhooks:read'],
      member: [],
      owner: [],
      custom: [],
    });
  });
});
