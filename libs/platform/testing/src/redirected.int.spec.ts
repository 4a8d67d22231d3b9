import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { EmbeddedPostgres, freePort } from '@holdfast/embedded';
import { Client } from 'pg';
import { ignoredVariables } from './global-setup';
import { TestClickHouse } from './test-clickhouse';

// A whole run of Jest, which compiles what the cache does not hold.
jest.setTimeout(180_000);

const root = resolve(__dirname, '../../../..');
const hasRedisServer = spawnSync('redis-server', ['--version']).status === 0;
if (!hasRedisServer) process.stdout.write('The run on other servers leaves out Redis: no redis-server.\n');

/** Runs spec files as a developer would who has set the variables. Answers everything that was printed. */
async function runSpecs(
  files: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly output: string }> {
  // What Jest has told its worker, this one among them, is not for another Jest.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(JEST_|HOLDFAST_TEST_)/.test(name));
  const jestProgram = join(root, 'node_modules/jest/bin/jest.js');
  const child = spawn(process.execPath, [jestProgram, '--selectProjects', 'int', '--verbose', ...files], {
    cwd: root,
    env: { ...(Object.fromEntries(inherited) as Record<string, string>), ...variables },
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  child.stderr.on('data', (chunk) => (output += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

/** What is in a server that only a run of the tests leaves there. */
async function databasesOf(adminUrl: string): Promise<string[]> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  const { rows } = await client.query<{ datname: string }>(
    'select datname from pg_database order by datname',
  );
  await client.end();
  return rows.map(({ datname }) => datname);
}

describe('With the variables of other servers, the integration tests', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-redirected-'));
  let postgres: EmbeddedPostgres;
  let clickhouse: TestClickHouse;
  let clickhouseUrl = '';
  let redis: ChildProcess | undefined;
  let redisPort = 0;

  beforeAll(async () => {
    chmodSync(directory, 0o755); // The server runs as another user when the tests run as root.
    const settings = { fsync: 'off' };
    postgres = await EmbeddedPostgres.start({
      directory: join(directory, 'postgres'),
      password: 'x',
      settings,
    });
    clickhouse = await TestClickHouse.open('front');
    clickhouseUrl = 'url' in clickhouse.endpoint ? clickhouse.endpoint.url : '';
    if (!hasRedisServer) return;
    redisPort = await freePort();
    const args = ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', ''];
    redis = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    for await (const chunk of redis.stdout ?? []) if (String(chunk).includes('Ready to accept')) break;
  });
  afterAll(async () => {
    redis?.kill('SIGKILL');
    await clickhouse.close();
    await postgres.stop('immediate');
    rmSync(directory, { recursive: true, force: true });
  });

  test('run against those', async () => {
    const files = [
      'libs/platform/tenancy/src/tenant-tx.int.spec.ts',
      'libs/modules/telemetry/src/clickhouse-consumer.int.spec.ts',
      ...(redis ? ['libs/platform/jobs/src/wake-up-queue.int.spec.ts'] : []),
    ];
    const { code, output } = await runSpecs(files, {
      DATABASE_ADMIN_URL: postgres.url(),
      CLICKHOUSE_URL: clickhouseUrl,
      ...(redis ? { REDIS_URL: `redis://127.0.0.1:${redisPort}` } : {}),
    });
    if (code !== 0) throw new Error(output);
    expect(output).toContain('ClickHouseConsumer over server');
    expect(await databasesOf(postgres.url())).toContain('holdfast_template');
    expect(await countEvents(clickhouseUrl)).toBeGreaterThan(0);
    if (redis) expect(keysOf(redisPort)).toContain('holdfast:');
  });

  test('name the variables of which they make no use', () => {
    const role = { DATABASE_URL: 'postgresql://holdfast_app@db/x', DATABASE_JOBS_URL: '' };
    expect(ignoredVariables(role)).toEqual(['DATABASE_URL']);
    expect(ignoredVariables({ ...role, DATABASE_ADMIN_URL: 'postgresql://postgres@db/x' })).toEqual([]);
    expect(ignoredVariables({})).toEqual([]);
  });
});

async function countEvents(url: string): Promise<number> {
  const { username, password, origin } = new URL(url);
  const headers = { authorization: `Basic ${btoa(`${username}:${password}`)}` };
  const body = 'select count() from telemetry.events format TSV';
  const answer = await fetch(origin, { method: 'POST', headers, body });
  return Number(await answer.text());
}

function keysOf(port: number): string {
  return spawnSync('redis-cli', ['-p', String(port), 'keys', '*'], { encoding: 'utf8' }).stdout;
}
