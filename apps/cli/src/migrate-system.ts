import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ConfigRefused,
  type Configs,
  environmentWith,
  loginRoles,
  readConfig,
  roleVariables,
} from '@holdfast/config';
import { TelemetryStore } from '@holdfast/clickhouse';
import { dumpPolicies, dumpStructure, migrate, setRolePasswords, setRoleSettings } from '@holdfast/database';
import { readDevFile } from './dev/dev-file';
import { printOutcome } from './output';
import { onScratchServer } from './scratch-server';

/** What `holdfast migrate` did. */
interface MigrateOutcome {
  readonly applied: readonly string[];
  readonly passwordsSet: readonly string[];
  readonly dumpedTo?: string;
}

/** `holdfast migrate`. */
export async function migrateVerb({
  dump,
  json,
}: {
  readonly dump?: string;
  readonly json?: boolean;
}): Promise<void> {
  printOutcome(json, await migrateSystem(dump), text);
}

function text({ applied, passwordsSet, dumpedTo }: MigrateOutcome): string {
  return [
    applied.length === 0 ? 'Nothing to apply.' : `Applied:\n${applied.map((name) => `  ${name}`).join('\n')}`,
    ...(passwordsSet.length === 0 ? [] : [`Passwords set: ${passwordsSet.join(', ')}.`]),
    ...(dumpedTo === undefined ? [] : [`structure.sql and policies.txt written to ${dumpedTo}.`]),
  ].join('\n');
}

/**
 * Brings the configured system up to this code: PostgreSQL, the roles' passwords, and ClickHouse where it is configured.
 * With `dumpDirectory` and no database configured, it is a scratch server that is migrated and dumped.
 */
async function migrateSystem(dumpDirectory?: string): Promise<MigrateOutcome> {
  const config = migrateConfig(dumpDirectory !== undefined);
  if (config) return apply(config, dumpDirectory);
  return onScratchServer(NOT_DURABLE, (adminUrl) =>
    apply(readConfig('migrate', environmentWith({ DATABASE_ADMIN_URL: adminUrl })), dumpDirectory),
  );
}

/** What is read once and thrown away need not survive a crash. */
const NOT_DURABLE = { fsync: 'off', full_page_writes: 'off' };

/** The configuration of the environment, or else of the running `holdfast dev`; undefined when a scratch server will do. */
function migrateConfig(scratchWillDo: boolean): Configs['migrate'] | undefined {
  try {
    return readConfig('migrate');
  } catch (error) {
    if (!(error instanceof ConfigRefused) || error.faults.some(({ message }) => message !== 'is missing'))
      throw error;
    if (scratchWillDo) return undefined;
    const running = readDevFile(readConfig('cli').directory);
    if (!running) throw error;
    return readConfig('migrate', environmentWith({ DATABASE_ADMIN_URL: running.database.admin }));
  }
}

async function apply(config: Configs['migrate'], dumpDirectory: string | undefined): Promise<MigrateOutcome> {
  const applied = await migrate(config.databaseAdminUrl);
  const passwords = rolePasswords(config);
  await setRolePasswords(config.databaseAdminUrl, passwords);
  await setRoleSettings(config.databaseAdminUrl, SETTLED_ROLES);
  const telemetry = config.clickhouseUrl === undefined ? [] : await migrateTelemetry(config.clickhouseUrl);
  const outcome = { applied: [...applied, ...telemetry], passwordsSet: Object.keys(passwords) };
  if (dumpDirectory === undefined) return outcome;
  writeFileSync(join(dumpDirectory, 'structure.sql'), await dumpStructure(config.databaseAdminUrl));
  writeFileSync(join(dumpDirectory, 'policies.txt'), await dumpPolicies(config.databaseAdminUrl));
  return { ...outcome, dumpedTo: dumpDirectory };
}

/** BullMQ says for itself how its sessions are. */
const SETTLED_ROLES = loginRoles.filter((role) => role !== 'holdfast_jobs');

/** The password in each role's connection string. A URL with another user (a proxy's, say) sets nothing. */
function rolePasswords(config: Configs['migrate']): Record<string, string> {
  const urls = {
    DATABASE_URL: config.databaseUrl,
    DATABASE_AUTH_URL: config.databaseAuthUrl,
    DATABASE_OPS_URL: config.databaseOpsUrl,
    DATABASE_RELAY_URL: config.databaseRelayUrl,
    DATABASE_SEALER_URL: config.databaseSealerUrl,
    DATABASE_JOBS_URL: config.databaseJobsUrl,
  };
  const passwords: Record<string, string> = {};
  for (const role of loginRoles) {
    const url = urls[roleVariables[role]];
    if (url === undefined) continue;
    const { username, password } = new URL(url);
    if (decodeURIComponent(username) === role && password !== '')
      passwords[role] = decodeURIComponent(password);
  }
  return passwords;
}

async function migrateTelemetry(url: string): Promise<readonly string[]> {
  const store = new TelemetryStore({ url });
  try {
    return await store.migrate();
  } finally {
    await store.close();
  }
}
