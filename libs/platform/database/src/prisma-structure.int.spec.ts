import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lineDifferences, TestDatabase } from '@holdfast/testing';
import { dumpPolicies, dumpStructure } from './dump-structure';
import { MIGRATIONS_DIRECTORY } from './migrate';

const directory = join(MIGRATIONS_DIRECTORY, '..');

// Guards isolation rule 21: a tool that drops a policy shows in review, and nothing lands with a stale file.
describe.each([
  ['structure.sql', dumpStructure],
  ['policies.txt', dumpPolicies],
])('prisma/%s', (name, dump) => {
  let database: TestDatabase;
  beforeAll(async () => void (database = await TestDatabase.create()));
  afterAll(() => database.drop());

  it('shows the database that the migrations make', async () => {
    const file = join(directory, name);
    const written = existsSync(file) ? readFileSync(file, 'utf8') : '';
    const actual = await dump(database.adminUrl);
    const advice = `prisma/${name} is out of date: run \`npm run db:dump\`.`;
    const differing = lineDifferences(written, actual).slice(0, 40);
    expect(written === actual ? '' : [advice, ...differing].join('\n')).toBe('');
  });
});

describe('dumpPolicies', () => {
  let database: TestDatabase;
  beforeAll(async () => void (database = await TestDatabase.create()));
  afterAll(() => database.drop());

  it.each([
    ['a policy', 'drop policy tenant_access on events.log'],
    ['FORCE', 'alter table events.log no force row level security'],
    ['a table that was switched off', 'alter table events.tenant_cursors disable row level security'],
    ['a reader', 'create policy wide on ledger.accounts for select to holdfast_relay using (true)'],
    ['a table without policies', 'create table tenants.notes (tenant_id uuid)'],
    [
      'an exemption',
      `insert into tenancy.exemptions values (1, 'tenants.notes', 'only for this test', 'tests')`,
    ],
    [
      'the end of an exemption',
      `update tenancy.exemptions set expires_at = '2030-01-01' where object = 'tenants.notes'`,
    ],
  ])('shows a change of %s', async (_, change) => {
    const before = await dumpPolicies(database.adminUrl);
    await database.admin(change);
    expect(lineDifferences(before, await dumpPolicies(database.adminUrl))).not.toEqual([]);
  });
});

describe('dumpStructure', () => {
  let database: TestDatabase;
  beforeAll(async () => void (database = await TestDatabase.create()));
  afterAll(() => database.drop());

  it.each([
    ['a policy', 'drop policy tenant_access on events.log'],
    ['FORCE', 'alter table events.log no force row level security'],
    ['a grant', 'grant update on events.log to holdfast_app'],
    ['a grant on a column', 'grant update (actor) on events.log to holdfast_app'],
    [
      'a right to execute',
      'grant execute on function tenancy.mint(uuid, text, text[], timestamptz, text, text) to public',
    ],
    ['a default', `alter table tenants.tenants alter name set default 'nobody'`],
    ['a constraint', 'alter table tenants.tenants add check (length(slug) > 3)'],
    ['an index', 'create index on tenants.tenants (tenant_id, name)'],
    ['a function', `alter function tenancy.enter(text) set statement_timeout = '1s'`],
    ['an owner', 'alter table tenants.tenants owner to holdfast_ops'],
    ['a sequence', 'alter sequence events.log_seq cache 2'],
    ['a view', 'create view tenants.slugs as select slug from tenants.tenants'],
    [
      'a trigger',
      `create trigger t before update on events.log for each row execute function suppress_redundant_updates_trigger()`,
    ],
    ['a built-in that was opened again', 'grant execute on function lo_create(oid) to public'],
  ])('shows a change of %s', async (_, change) => {
    const before = await dumpStructure(database.adminUrl);
    expect(await dumpStructure(database.adminUrl)).toBe(before);
    await database.admin(change);
    expect(await dumpStructure(database.adminUrl)).not.toBe(before);
  });

  it('leaves out what BullMQ and Prisma keep for themselves', async () => {
    await database.admin('create table jobs.of_bullmq (id int)');
    expect(await dumpStructure(database.adminUrl)).not.toMatch(/of_bullmq|_prisma_migrations/);
  });
});
