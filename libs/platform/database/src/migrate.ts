import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, DatabaseError, escapeIdentifier, escapeLiteral } from 'pg';
import { asAdministrator } from './administrator';

/** Where migrations stand: in the checkout or image above this file, whether it is a source or part of a build. */
export const MIGRATIONS_DIRECTORY =
  directoriesAbove(__dirname)
    .map((directory) => join(directory, 'prisma/migrations'))
    .find((directory) => existsSync(directory)) ?? join(process.cwd(), 'prisma/migrations');

function directoriesAbove(directory: string): string[] {
  const above = dirname(directory);
  return above === directory ? [] : [above, ...directoriesAbove(above)];
}

/** The advisory lock of Prisma's own migration engine, so that the two exclude each other. */
const PRISMA_LOCK = 72_707_369;

/**
 * How long a migration waits for a lock. Whoever wants the table meanwhile stands behind it: so for much less than the 2 s after which
 * a process is refused (SESSION_SETTINGS), and the second that a request waits for a connection.
 *
 * An autovacuum gives way to who has waited for `deadlock_timeout`, a second, and only then: so that is made shorter, or, for an
 * administrator who may not, the wait longer.
 */
const BOUND_WAITS = `
  select set_config('lock_timeout', case when may then '250ms' else '1300ms' end, false),
    case when may then set_config('deadlock_timeout', '100ms', false) end
  from has_parameter_privilege('deadlock_timeout', 'set') may`;
/** Then it lets the others through for so long. */
const LOCK_PAUSE_MS = 1_000;
/** A verification or a report may have a table in use for minutes. */
const PATIENCE_MS = 300_000;
/** lock_not_available and deadlock_detected: the file has left nothing, and may find its tables free another time. */
const IN_USE = new Set(['55P03', '40P01']);

/** Prisma's table, as its engine creates it. */
const HISTORY = `
  create table if not exists public._prisma_migrations (
    id varchar(36) primary key not null,
    checksum varchar(64) not null,
    finished_at timestamptz,
    migration_name varchar(255) not null,
    logs text,
    rolled_back_at timestamptz,
    started_at timestamptz not null default now(),
    applied_steps_count integer not null default 0
  )`;

interface Applied {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: Date | null;
}

/** A migration that cannot run, with what to do about it. */
export class MigrationRefused extends Error {
  override readonly name = 'MigrationRefused';
}

/**
 * Applies what is missing from `prisma/migrations`, in the order of the names, and answers the names applied.
 *
 * Same layout, history table, checksums and advisory lock as `prisma migrate deploy`, without the engine that it
 * downloads: either may be used on a database. Each file and its row are one transaction, so whoever is cut off or killed has
 * applied the file or left nothing, and is run again. A file that fails leaves an unfinished row that names the error. Two runs
 * at once wait for each other.
 *
 * A table that is in use is asked for a quarter of a second at a time, so that nobody stands behind the migration for longer than that
 * and its own work. After `patienceMs` it is refused, has changed nothing and may be run again.
 */
export async function migrate(
  adminUrl: string,
  directory: string = MIGRATIONS_DIRECTORY,
  patienceMs = PATIENCE_MS,
): Promise<string[]> {
  return asAdministrator(adminUrl, async (client) => {
    await client.query('select pg_advisory_lock($1)', [PRISMA_LOCK]); // Held until the session ends.
    await client.query(HISTORY);
    await client.query(BOUND_WAITS);
    const names = migrationNames(directory);
    const pending = await pendingMigrations(client, directory, names);
    for (const name of pending) await apply(client, directory, name, patienceMs);
    return pending;
  });
}

/** Sets the password of each role; `null` leaves a role without one, which cannot log in where passwords are asked. */
export async function setRolePasswords(
  adminUrl: string,
  passwords: Readonly<Record<string, string>>,
): Promise<void> {
  await asAdministrator(adminUrl, async (client) => {
    for (const [role, password] of Object.entries(passwords)) {
      // Utility statements take no parameters. The server keeps a SCRAM verifier of it.
      await client.query(`alter role ${escapeIdentifier(role)} password ${escapeLiteral(password)}`);
    }
  });
}

function migrationNames(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(directory, entry.name, 'migration.sql')))
    .map((entry) => entry.name)
    .toSorted();
}

async function pendingMigrations(
  client: Client,
  directory: string,
  names: readonly string[],
): Promise<string[]> {
  const { rows } = await client.query<Applied>(
    'select migration_name, checksum, finished_at from public._prisma_migrations where rolled_back_at is null',
  );
  const unfinished = rows.find((row) => row.finished_at === null);
  if (unfinished) {
    throw new MigrationRefused(
      `migration ${unfinished.migration_name} did not finish earlier. Read its row in public._prisma_migrations, mend the cause, then set rolled_back_at = now() on the row. Without logs it was cut off in \`prisma migrate deploy\`: where its changes are there, set finished_at = now() instead.`,
    );
  }
  const gone = rows.find((row) => !names.includes(row.migration_name));
  if (gone)
    throw new MigrationRefused(
      `migration ${gone.migration_name} is applied but missing here: this code is older than the database.`,
    );
  const applied = new Map(rows.map((row) => [row.migration_name, row.checksum]));
  const edited = names.find((name) => applied.has(name) && applied.get(name) !== checksumOf(directory, name));
  if (edited)
    throw new MigrationRefused(
      `migration ${edited} was edited after it was applied. Restore the file and write another migration.`,
    );
  return names.filter((name) => !applied.has(name));
}

async function apply(client: Client, directory: string, name: string, patienceMs: number): Promise<void> {
  const row = [randomUUID(), checksumOf(directory, name), name];
  // The simple protocol runs many statements as one implicit transaction, which ends by itself though nobody waits for it any more.
  const whole = [
    readFileSync(join(directory, name, 'migration.sql'), 'utf8'),
    '; reset role; insert into public._prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)',
    `values (${row.map((value) => escapeLiteral(value)).join(', ')}, clock_timestamp(), 1)`,
  ].join('\n');
  try {
    await runWhenFree(client, whole, patienceMs);
  } catch (error) {
    throw new MigrationRefused(
      `migration ${name} failed: ${String(error)}${await recordFailure(client, row, error)}`,
      { cause: error },
    );
  }
}

/** Writes down why a migration failed, and answers what there is to do about it, as the end of a message. */
async function recordFailure(client: Client, row: readonly string[], error: unknown): Promise<string> {
  try {
    await client.query(
      `insert into public._prisma_migrations (id, checksum, migration_name, logs, rolled_back_at)
       values ($1, $2, $3, $4, case when $5 then now() end)`,
      [...row, String(error), isInUse(error)],
    );
  } catch {
    return '. The connection was cut: the file is applied or has left nothing; run this again';
  }
  return isInUse(error) ? '. A transaction has its tables in use; run this again behind it' : '';
}

async function runWhenFree(client: Client, sql: string, patienceMs: number): Promise<void> {
  for (const givesUpAtMs = performance.now() + patienceMs; ; await sleep(LOCK_PAUSE_MS)) {
    try {
      await client.query(sql);
      return;
    } catch (error) {
      if (!isInUse(error) || performance.now() > givesUpAtMs) throw error;
    }
  }
}

function isInUse(error: unknown): boolean {
  return error instanceof DatabaseError && IN_USE.has(error.code ?? '');
}

function checksumOf(directory: string, name: string): string {
  return createHash('sha256')
    .update(readFileSync(join(directory, name, 'migration.sql')))
    .digest('hex');
}
