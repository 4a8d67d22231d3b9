import { execFileSync } from 'node:child_process';
import { globSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { loginRoles } from '@holdfast/config';
import type { Statement } from '@holdfast/database';
import { TestDatabase } from '@holdfast/testing';
import { Client } from 'pg';
import { EarlierRelease } from './earlier-release';

/** Before sagas, payments and what they have asked of the ledger. */
const commit = EarlierRelease.commitWithout('prisma/migrations/20261127002000_create_sagas');
if (commit === undefined)
  process.stdout.write('Skipped: the statements of an earlier release (its commit is not here).\n');

/** `holdfast audit vault mend --discard` runs them as the administrator. */
const BY_ADMINISTRATOR = new Set(['vault.discard_subject_keys', 'vault.discard_vault']);

/** Run in its build: requiring a file declares its statements. */
const PRINT = `for (const file of process.argv.slice(1)) require(file);
require('fs').writeSync(1, JSON.stringify(require(process.argv[1]).registeredStatements()));`;

// Row 14 of the faults: an earlier release goes on beside the schema of today.
(commit === undefined ? describe.skip : describe)('Every statement of an earlier release', () => {
  let release: EarlierRelease;
  let database: TestDatabase;
  beforeAll(async () => {
    [release, database] = [EarlierRelease.build(commit ?? ''), await TestDatabase.create()];
  }, 60_000);
  afterAll(async () => {
    release.remove();
    await database.drop();
  });

  it('can be run beside the schema of today, by some role', async () => {
    const statements = statementsOf(release);
    expect(statements.length).toBeGreaterThan(300);
    const clients = await Promise.all(loginRoles.map((role) => connect(database.url(role))));
    const administrator = await connect(database.adminUrl);
    const faults: string[] = [];
    for (const { name, text } of statements) {
      const refusals = await refusalsOf(BY_ADMINISTRATOR.has(name) ? [administrator] : clients, text);
      if (refusals) faults.push(`${name}: ${refusals.join(', ')}`);
    }
    await Promise.all([administrator, ...clients].map((client) => client.end()));
    expect(faults).toEqual([]);
  }, 60_000);
});

/** Every file that may declare one. */
function statementsOf({ directory }: EarlierRelease): readonly Statement<unknown>[] {
  const dist = realpathSync(join(directory, 'dist'));
  const files = globSync(['libs/modules/**/*.{sql,query,command}.js', 'libs/platform/*/src/**/*.js'], {
    cwd: dist,
  })
    .filter((file) => !/\.bench\.js$|^libs\/platform\/(?:testing|embedded)\//.test(file))
    .map((file) => join(dist, file));
  const registry = join(dist, 'libs/platform/database/src/index.js');
  const printed = execFileSync(process.execPath, ['-e', PRINT, registry, ...files], { encoding: 'utf8' });
  return JSON.parse(printed) as readonly Statement<unknown>[];
}

/** Why PostgreSQL would run it as no role of the connections; undefined where it would as one. */
async function refusalsOf(clients: readonly Client[], text: string): Promise<string[] | undefined> {
  const refusals: string[] = [];
  for (const client of clients) {
    try {
      // Rights are looked at as when it is run, which preparing it does not do.
      await client.query(`explain (generic_plan) ${text}`);
      return undefined;
    } catch (error) {
      refusals.push(String(error));
    }
  }
  return refusals;
}

async function connect(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString });
  await client.connect();
  await client.query("set search_path to ''");
  return client;
}
