import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readConfig } from '@holdfast/config';
import { TelemetryStore } from '@holdfast/clickhouse';
import { WakeUpQueue } from '@holdfast/jobs';
import { newId } from '@holdfast/kernel';
import { createLogger } from '@holdfast/observability';
import { freePort, hasRedisServer, startRedis, stopRedis, TestDatabase } from '@holdfast/testing';
import { chromium } from 'playwright-core';
import { type RunningApi, startApi } from '../src/api';

/** Debian's. */
const CHROMIUM = '/usr/bin/chromium';
const KEY = 'hfo_of-the-dashboard-test';
const PATH = '/v1/operator/queues';
const basic = (password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`anybody:${password}`).toString('base64')}`,
});

interface Queue {
  readonly name: string;
  readonly readOnlyMode: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly jobs: readonly { readonly data: unknown }[];
}

const kinds = ['PostgreSQL', ...(hasRedisServer() ? ['Redis'] : [])];

// Guards that nobody but an operator sees the queues, and that nobody changes them by hand.
describe.each(kinds)('The dashboard of queues on %s', (kind) => {
  let database: TestDatabase;
  let redis: ChildProcess | undefined;
  let queue: WakeUpQueue;
  let api: RunningApi;
  const tenantId = newId();

  beforeAll(async () => {
    database = await TestDatabase.create();
    const port = await freePort();
    if (kind === 'Redis') redis = await startRedis(port);
    const redisUrl = `redis://127.0.0.1:${port}`;
    const jobsUrl = database.url('holdfast_jobs');
    const backend = redis
      ? { kind: 'redis' as const, url: redisUrl }
      : { kind: 'postgres' as const, url: jobsUrl };
    await database.admin(
      `insert into events.groups (name, kind, from_tick, replay) values ('seen', 'tenant', 0, 'never')`,
    );
    queue = new WakeUpQueue({ name: 'wake.seen', backend, report: () => {} });
    await queue.enqueue([tenantId]);
    const config = readConfig('api', {
      DATABASE_URL: database.url('holdfast_app'),
      DATABASE_AUTH_URL: database.url('holdfast_auth'),
      DATABASE_OPS_URL: database.url('holdfast_ops'),
      ...(redis ? { REDIS_URL: redisUrl } : { DATABASE_JOBS_URL: jobsUrl }),
      CLICKHOUSE_URL: 'http://127.0.0.1:1',
      OPERATOR_KEY_HASH: `alice=${createHash('sha256').update(KEY).digest('hex')}`,
      HOLDFAST_PORT: '0',
    });
    api = await startApi(config, {
      logger: createLogger({ app: 'api', level: 'fatal' }),
      telemetry: new TelemetryStore({ url: 'http://127.0.0.1:1' }),
      version: 'test',
      graphiql: false,
      serveMetrics: false,
      drainMs: 0,
    });
  }, 60_000);
  afterAll(async () => {
    await api.stop();
    await queue.close();
    if (redis) await stopRedis(redis);
    await database.drop();
  });

  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${api.url}${PATH}${path}`, init);

  it('asks for the key of an operator, on every path, and says how to give it', async () => {
    for (const path of ['', '/', '/queue/wake.seen', '/api/queues', '/static/favicon.ico']) {
      for (const headers of [
        {},
        basic('wrong'),
        { authorization: 'Bearer wrong' },
        { authorization: 'Basic' },
      ]) {
        const answer = await ask(path, { headers });
        expect([path, answer.status]).toEqual([path, 401]);
        expect(answer.headers.get('www-authenticate')).toContain('Basic');
        expect(await answer.json()).toMatchObject({ status: 401, code: 'auth.invalid_credential' });
      }
    }
  });

  it('takes the key as a password on this path, and on no other', async () => {
    expect((await ask('/api/queues', { headers: basic(KEY) })).status).toBe(200);
    expect((await ask('/api/queues', { headers: { authorization: `Bearer ${KEY}` } })).status).toBe(200);
    const elsewhere = await fetch(`${api.url}/v1/operator/tenants`, { headers: basic(KEY) });
    expect(elsewhere.status).toBe(401);
  });

  it('shows the queue of every group, with keys and nothing else in it', async () => {
    const answer = await ask('/api/queues?activeQueue=wake.seen&status=latest', { headers: basic(KEY) });
    const { queues } = (await answer.json()) as { readonly queues: readonly Queue[] };
    const seen = queues.find(({ name }) => name === 'wake.seen');
    expect(seen).toMatchObject({ readOnlyMode: true, counts: { waiting: 1 } });
    expect(seen?.jobs.map(({ data }) => data)).toEqual([{ key: tenantId }]);
  });

  it('serves a page that asks nobody else for anything', async () => {
    const answer = await ask('', { headers: basic(KEY) });
    const page = await answer.text();
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page).toContain('<div id="root">');
    expect(page.match(/(?:src|href)="(?:https?:)?\/\/[^"]*"/g)).toBeNull();
    const files = [...page.matchAll(/(?:src|href)="(static\/[^"]+)"/g)].map(([, file]) => file);
    expect(files.length).toBeGreaterThan(3);
    for (const file of files) expect((await ask(`/${file}`, { headers: basic(KEY) })).status).toBe(200);
  });

  it('has no way to change anything', async () => {
    for (const path of [
      '/api/queues/wake.seen/pause',
      '/api/queues/wake.seen/empty',
      '/api/queues/wake.seen/clean/failed',
      '/api/queues/wake.seen/1/retry',
      '/api/queues/wake.seen/add',
      '/api/queues/pause',
    ]) {
      for (const method of ['PUT', 'POST', 'PATCH', 'DELETE']) {
        const headers = { ...basic(KEY), 'content-type': 'application/json' };
        const { status } = await ask(path, { method, headers, body: '{}' });
        expect([method, path, status]).toEqual([method, path, 404]);
      }
    }
    const answer = await ask('/api/queues', { headers: basic(KEY) });
    const { queues } = (await answer.json()) as { readonly queues: readonly Queue[] };
    expect(queues.find(({ name }) => name === 'wake.seen')?.counts).toMatchObject({ waiting: 1 });
  });

  it('shows in a browser, which asks nobody else for anything', async () => {
    if (!existsSync(CHROMIUM)) {
      process.stdout.write(`Left out: a browser (no ${CHROMIUM}).\n`);
      return;
    }
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    const context = await browser.newContext({ httpCredentials: { username: 'alice', password: KEY } });
    const page = await context.newPage();
    const [asked, complaints]: [Set<string>, string[]] = [new Set(), []];
    page.on('request', (request) => asked.add(new URL(request.url()).origin));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(`${api.url}${PATH}/queue/wake.seen?status=waiting`);
    await page.getByText(tenantId).first().waitFor({ timeout: 20_000 });
    expect([...asked]).toEqual([api.url]);
    expect(complaints).toEqual([]);
    await browser.close();
  });

  it('says that the queues are away instead of waiting for them', async () => {
    if (!redis) return;
    redis.kill('SIGSTOP');
    const answer = await ask('/api/queues', { headers: basic(KEY) });
    redis.kill('SIGCONT');
    expect(answer.status).toBe(503);
  });
});
