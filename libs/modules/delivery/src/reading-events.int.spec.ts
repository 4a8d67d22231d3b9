import { readFileSync } from 'node:fs';
import path from 'node:path';
import { newId, scopesOfRole } from '@holdfast/kernel';
import { TestDatabase } from '@holdfast/testing';

const MIGRATION = 'prisma/migrations/20261126202000_grant_reading_events/migration.sql';

/** What the roles held when the permission came; a later one does not change what was. */
const MEMBER = ['tenant:read', 'ledger:read', 'ledger:write', 'telemetry:read'];
const AUDITOR = [
  ...['tenant:read', 'members:read', 'issuers:read', 'keys:read', 'support:read'],
  ...['ledger:read', 'audit:read', 'telemetry:read'],
];
const ADMIN = [
  ...AUDITOR,
  ...['tenant:write', 'members:write', 'roles:write', 'issuers:write', 'keys:write', 'support:write'],
  ...['exports:read', 'exports:write', 'ledger:write'],
];

describe('The permission to read events', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await TestDatabase.create();
  });
  afterAll(() => database.drop());

  it('reaches those who were admins and auditors before there was one, once, and nobody else', async () => {
    const memberships = {
      admin: ADMIN,
      auditor: AUDITOR,
      member: MEMBER,
      owner: ['*'],
      watcher: ['audit:read', 'tenant:read'],
      'may already': [...AUDITOR, 'events:read'],
    };
    for (const [subject, scopes] of Object.entries(memberships))
      await database.admin("insert into auth.memberships values ('https://issuer', $1, $2, $3, $4)", [
        subject,
        newId(),
        newId(),
        scopes,
      ]);
    const sql = readFileSync(path.join(__dirname, '../../../..', MIGRATION), 'utf8');
    for (let times = 0; times < 2; times += 1)
      await database.admin(sql.slice(sql.indexOf('update auth.memberships'))); // Without its role: this is one statement.
    const after = await database.admin<{ subject: string; scopes: string[] }>(
      'select subject, scopes from auth.memberships',
    );
    const gained = after.filter(({ scopes }) => scopes.includes('events:read')).map(({ subject }) => subject);
    expect(gained.toSorted()).toEqual(['admin', 'auditor', 'may already']);
    expect(new Set(after.map(({ scopes }) => scopes.length - new Set(scopes).size))).toEqual(new Set([0]));
    expect(scopesOfRole('admin')).toContain('events:read');
    expect(scopesOfRole('auditor')).toContain('events:read');
  });
});
