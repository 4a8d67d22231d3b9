import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestDatabase } from '@holdfast/testing';
import { dumpStructure } from './dump-structure';
import { MIGRATIONS_DIRECTORY } from './migrate';

const FILE = join(MIGRATIONS_DIRECTORY, '../structure.sql');

describe('prisma/structure.sql', () => {
  let database: TestDatabase;
  beforeAll(async () => void (database = await TestDatabase.create()));
  afterAll(() => database.drop());

  it('shows the database that the migrations make', async () => {
    const written = existsSync(FILE) ? readFileSync(FILE, 'utf8') : '';
    const actual = await dumpStructure(database.adminUrl);
    // Lines that only one of the two has: short enough to read in a CI log, where the whole files are not.
    const [before, after] = [new Set(written.split('\n')), new Set(actual.split('\n'))];
    const differing = [
      ...[...before].filter((line) => !after.has(line)).map((line) => `- ${line}`),
      ...[...after].filter((line) => !before.has(line)).map((line) => `+ ${line}`),
    ];
    const advice = 'prisma/structure.sql is out of date: run `npm run db:dump`.';
    expect(written === actual ? '' : [advice, ...differing.slice(0, 40)].join('\n')).toBe('');
  });

  it.each([
    ['a policy', 'drop policy tenant_access on events.log'],
    ['FORCE', 'alter table events.log no force row level security'],
    ['a grant', 'grant update on events.log to holdfast_app'],
    ['a grant on a column', 'grant update (actor) on events.log to holdfast_app'],
    [
      'a right to execute',
      'grant execute on function tenancy.mint(uuid, text, text[], timestamptz, text) to public',
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
