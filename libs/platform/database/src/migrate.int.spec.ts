import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestDatabase } from '@holdfast/testing';
import { Client } from 'pg';
import { migrate, MigrationRefused, MIGRATIONS_DIRECTORY } from './migrate';

/** Longer than a process waits for a lock, and twice as long as a reader here. */
const HELD_MS = 2_500;
/** Ends a migration of this database that waits for a table. */
const END_WAIT = `
  select pg_terminate_backend(pid) from pg_stat_activity
  where application_name = 'holdfast migrate' and datname = current_database() and wait_event = 'relation'`;
// Row 14 of the faults: whoever reads the table goes on, though the migration needs it for itself and somebody has it in use.
describe('A migration whose table is in use', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-migrations-'));
  let database: TestDatabase;
  let user: Client;
  beforeAll(async () => {
    cpSync(MIGRATIONS_DIRECTORY, directory, { recursive: true });
    mkdirSync(join(directory, '99991231000000_note'));
    const sql = 'set local role holdfast_owner; alter table ledger.accounts add column note text;';
    writeFileSync(join(directory, '99991231000000_note/migration.sql'), sql);
    database = await TestDatabase.create();
    user = new Client({ connectionString: database.adminUrl });
    await user.connect();
  });
  afterAll(async () => {
    await user.end();
    await database.drop();
    rmSync(directory, { recursive: true });
  });
  /** As a process does, which is refused where it waits longer for a lock. */
  const read = (): Promise<unknown> =>
    database.admin(`set lock_timeout = '1s'; select count(*) from ledger.accounts`);

  it('gives up in the end, has changed nothing and may be run again', async () => {
    await user.query('begin; select from ledger.accounts');
    await expect(migrate(database.adminUrl, directory, 0)).rejects.toThrow(MigrationRefused);
    const notes =
      "select from pg_attribute where attrelid = 'ledger.accounts'::regclass and attname = 'note'";
    expect(await database.admin(notes)).toEqual([]);
  });

  it('is run again where the one that waited was cut off', async () => {
    const cut = migrate(database.adminUrl, directory).catch(String);
    while ((await database.admin(END_WAIT)).length === 0) await sleep(20);
    expect(await cut).toContain('run this again');
    expect(await database.admin('select from public._prisma_migrations where finished_at is null')).toEqual([
      {}, // Of the one that gave up.
    ]);
  });

  it('waits for it, and lets others through meanwhile', async () => {
    let isApplied = false;
    const applied = migrate(database.adminUrl, directory).finally(() => (isApplied = true));
    let [longestMs, reads] = [0, 0];
    for (const endsAtMs = performance.now() + HELD_MS; performance.now() < endsAtMs; await sleep(10)) {
      const askedAtMs = performance.now();
      await read();
      longestMs = Math.max(longestMs, performance.now() - askedAtMs);
      reads += 1;
    }
    // It was asked for in between: who came then stood behind the migration.
    expect([isApplied, reads > 10, longestMs > 100]).toEqual([false, true, true]);
    await user.query('rollback');
    expect(await applied).toEqual(['99991231000000_note']);
    expect(await migrate(database.adminUrl, directory)).toEqual([]);
  });
});
