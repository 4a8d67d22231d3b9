import type { ChildProcess } from 'node:child_process';
import { readConfig } from '@holdfast/config';
import { TelemetryStore } from '@holdfast/clickhouse';
import { createLogger } from '@holdfast/observability';
import { freePort, hasRedisServer, startRedis, stopRedis, TestDatabase } from '@holdfast/testing';
import { type RunningWorker, startWorker } from '../src/worker';

// Guards that a worker does not put wake-ups where they are dropped, and that it does not hang on where it puts them.
(hasRedisServer() ? describe : describe.skip)('A worker that starts', () => {
  let database: TestDatabase;
  let redis: ChildProcess;
  let port: number;
  const telemetry = new TelemetryStore({ url: 'http://127.0.0.1:1' });

  beforeAll(async () => {
    database = await TestDatabase.create();
    port = await freePort();
    redis = await startRedis(port, 'allkeys-lru');
  });
  afterAll(async () => {
    await stopRedis(redis);
    await telemetry.close();
    await database.drop();
  });

  const start = (): Promise<RunningWorker> => {
    const config = readConfig('worker', {
      DATABASE_URL: database.url('holdfast_app'),
      DATABASE_AUTH_URL: database.url('holdfast_auth'),
      DATABASE_RELAY_URL: database.url('holdfast_relay'),
      REDIS_URL: `redis://127.0.0.1:${port}`,
      CLICKHOUSE_URL: 'http://127.0.0.1:1/unused',
      NODE_ENV: 'test',
    });
    const logger = createLogger({ app: 'worker', level: 'fatal' });
    return startWorker(config, { logger, telemetry, serveMetrics: false });
  };

  it('refuses a Redis that evicts', async () => {
    await expect(start()).rejects.toThrow('set it to noeviction');
  });

  it('starts without its Redis, is ready, and shows what is missing', async () => {
    await stopRedis(redis);
    const worker = await start();
    const { status, checks } = await worker.health.ready();
    expect(status).toBe('ok');
    expect(checks.find(({ name }) => name === 'queues')).toMatchObject({
      status: 'failed',
      reason: 'QueueBackendAway',
    });
    await worker.stop();
  });
});
