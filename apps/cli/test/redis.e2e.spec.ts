import { type ChildProcess, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, hasRedisServer, startRedis, stopRedis } from '@holdfast/testing';
import { DevProcess, freshCheckout, removeCheckout } from './dev-process';
import { Client } from './journal';
import { makeTenant, Servers } from './servers';

const isRedisHere = hasRedisServer();
if (!isRedisHere) process.stdout.write('Queues in Redis are left out: no redis-server on PATH.\n');

/** A worker that is asked to stop is waited for this long by what runs it (Kubernetes: 30 s). */
const STOP_MAX_MS = 30_000;

/** Guards promise 6 where the queues are in Redis: wake-ups may be lost with it, events may not. */
(isRedisHere ? describe : describe.skip)('An API and a worker with their queues in Redis', () => {
  const checkout = freshCheckout();
  let servers: Servers;
  let redis: ChildProcess;
  let redisUrl = '';
  let api: DevProcess;
  let worker: DevProcess;
  let client: Client;
  let accounts: Awaited<ReturnType<Client['accounts']>>;

  beforeAll(async () => {
    servers = await Servers.start(checkout);
    const redisPort = await freePort();
    redis = await startRedis(redisPort);
    redisUrl = `redis://127.0.0.1:${redisPort}`;
    const port = await freePort();
    const environment = {
      ...servers.environment,
      // Without the queues' role: everything that wakes the worker goes through Redis.
      DATABASE_JOBS_URL: '',
      REDIS_URL: redisUrl,
      NODE_ENV: 'production',
    };
    api = new DevProcess(checkout, ['api'], { ...environment, HOLDFAST_PORT: String(port) });
    worker = new DevProcess(checkout, ['worker'], environment);
    client = new Client(`http://127.0.0.1:${port}`, await makeTenant(checkout, servers.environment));
    await untilReady(client.api, api);
    accounts = await client.accounts();
  });
  afterAll(async () => {
    await Promise.all([api.signal('SIGTERM'), worker.signal('SIGKILL')]);
    await stopRedis(redis);
    await servers.stop();
    removeCheckout(checkout);
  });

  /** Posts a transfer; answers its status and whether its event is in telemetry within a time. */
  async function post(withinMs: number): Promise<{ status: number; delivered: boolean }> {
    const { status, body } = await client.post('/v1/ledger/transfers', { ...accounts, amount: '1' });
    const isDelivered = async (): Promise<boolean> =>
      (await client.all('/v1/telemetry/events?type=ledger.transfer.posted')).some(
        ({ stream }) => stream.id === body.id,
      );
    let delivered = await isDelivered();
    for (const since = Date.now(); !delivered && Date.now() - since < withinMs; await sleep(100))
      delivered = await isDelivered();
    return { status, delivered };
  }

  test('carry a transfer to telemetry', async () => {
    expect(await post(10_000)).toEqual({ status: 201, delivered: true });
    // The queues are in Redis; a worker that is not busy needs none to be woken.
    const keys = spawnSync('redis-cli', ['-u', redisUrl, 'keys', '*'], { encoding: 'utf8' });
    expect(keys.stdout).toMatch(/holdfast:wake\.clickhouse:/);
  });

  test('take transfers and carry them while Redis is gone, and the worker stops when it is asked', async () => {
    await stopRedis(redis);
    for (let n = 0; n < 3; n += 1) expect(await post(20_000)).toEqual({ status: 201, delivered: true });
    const askedAt = Date.now();
    const ended = await Promise.race([worker.signal('SIGTERM'), sleep(STOP_MAX_MS + 5_000)]);
    expect(ended?.code).toBe(0);
    expect(Date.now() - askedAt).toBeLessThan(STOP_MAX_MS);
  });
});

async function untilReady(url: string, process: DevProcess): Promise<void> {
  for (let waitedMs = 0; waitedMs < 60_000; waitedMs += 100) {
    // Nobody listens yet.
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.status === 200) return;
    await sleep(100);
  }
  const { stdout, stderr } = await process.signal('SIGKILL');
  throw new Error(`the API did not become ready:\n${stdout}\n${stderr}`);
}
