import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig } from '@holdfast/config';
import { newId } from '@holdfast/kernel';
import { TelemetryStore } from '@holdfast/clickhouse';
import { createLogger } from '@holdfast/observability';
import { TestClickHouse, TestDatabase } from '@holdfast/testing';
import { type RunningWorker, startWorker } from '../src/worker';

// Guards promise 6: every committed event reaches every group and takes effect once.
describe('The worker', () => {
  let database: TestDatabase;
  let clickHouse: TestClickHouse;
  let telemetry: TelemetryStore;
  const workers: RunningWorker[] = [];

  beforeAll(async () => {
    database = await TestDatabase.create();
    const [kind] = TestClickHouse.kinds();
    clickHouse = await TestClickHouse.open(kind!);
    telemetry = new TelemetryStore(clickHouse.endpoint);
    await telemetry.migrate();
  });
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await telemetry.close();
    await clickHouse.close();
    await database.drop();
  });

  const start = async (): Promise<RunningWorker> => {
    const config = readConfig('worker', {
      DATABASE_URL: database.url('holdfast_app'),
      DATABASE_AUTH_URL: database.url('holdfast_auth'),
      DATABASE_RELAY_URL: database.url('holdfast_relay'),
      DATABASE_JOBS_URL: database.url('holdfast_jobs'),
      CLICKHOUSE_URL: 'http://127.0.0.1:1/unused',
      NODE_ENV: 'test',
    });
    const logger = createLogger({ app: 'worker', level: 'error' });
    const worker = await startWorker(config, { logger, telemetry, serveMetrics: false });
    workers.push(worker);
    return worker;
  };
  const announce = async (tenantId: string, count: number): Promise<void> => {
    const caller = await database.caller(tenantId);
    const tenants = database.tenants(2);
    for (let i = 0; i < count; i += 1) {
      const id = newId();
      const event = {
        id,
        type: 'probe.thing.made',
        schemaVersion: 1,
        streamType: 'probe.thing',
        streamId: id,
      };
      await tenants.transaction(caller, (tx) => tx.announce({ ...event, streamVersion: 1n, payload: '{}' }));
    }
  };
  const stored = async (tenantId: string): Promise<{ store: number; usage: number }> => {
    const text = 'select count() as events from telemetry.tenant_events(tenant_id = {tenant_id:UUID})';
    const [row] = await telemetry.read<{ events: string }>(tenantId, { text }, {});
    const [usage] = await database.admin<{ events: number }>(
      'select coalesce(sum(event_count), 0)::int as events from tenants.usage_counts where tenant_id = $1',
      [tenantId],
    );
    return { store: Number(row?.events), usage: usage?.events ?? -1 };
  };
  const until = async (tenantId: string, count: number): Promise<void> => {
    for (let look = 0; look < 400; look += 1) {
      const { store, usage } = await stored(tenantId);
      if (store >= count && usage >= count) break;
      await sleep(25);
    }
    expect(await stored(tenantId)).toEqual({ store: count, usage: count });
  };

  it('delivers to every group, and goes on while one of two workers stops', async () => {
    const [first, second] = [await start(), await start()];
    const [one, other] = [newId(), newId()];
    await announce(one, 30);
    await until(one, 30);
    const announcing = announce(other, 60);
    await first.stop();
    workers.splice(workers.indexOf(first), 1);
    await announcing;
    await until(other, 60);
    expect((await second.health.ready()).status).toBe('ok');
  }, 60_000);

  it('delivers what was committed while no worker ran', async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.stop()));
    const tenantId = newId();
    await announce(tenantId, 250);
    await start();
    await until(tenantId, 250);
  }, 60_000);

  it('sweeps the ledger for holds whose time is over', async () => {
    await start();
    // Of a hold that never was: the sweeper takes it away.
    await database.admin(
      'insert into ledger.timeouts (tenant_id, hold_id, expires_at) values ($1, $1, now())',
      [newId()],
    );
    const left = (): Promise<unknown[]> => database.admin('select hold_id from ledger.timeouts');
    for (let look = 0; look < 300 && (await left()).length > 0; look += 1) await sleep(100);
    expect(await left()).toEqual([]);
  });
});
