import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig, type WorkerConfig } from '@holdfast/config';
import { TelemetryStore } from '@holdfast/clickhouse';
import { MessagesModule } from '@holdfast/cqrs';
import { declarationOf, type RecordedEvent } from '@holdfast/events';
import { IdentityModule } from '@holdfast/identity';
import { type Caller, newId } from '@holdfast/kernel';
import { createLogger } from '@holdfast/observability';
import { callerOf, Grants } from '@holdfast/tenancy';
import { ChangePlan, CreateTenant, ResumeTenant, SuspendTenant, TenantsModule } from '@holdfast/tenants';
import { TestClickHouse, TestDatabase } from '@holdfast/testing';
import { WebhookDelivery } from '@holdfast/webhooks';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { type RunningWorker, startWorker } from '../src/worker';
import { consumersOf } from '../src/worker-groups';

const WRITERS = 8;
const ROUNDS = 12;
const PLANS = ['free', 'standard', 'enterprise'] as const;

// Guards promise 6: order per key. The writers are the product's own commands, with the locks that they really take.
describe('Each consumer group, while many write to the same streams', () => {
  let database: TestDatabase;
  let clickHouse: TestClickHouse;
  let telemetry: TelemetryStore;
  let app: INestApplicationContext;
  const workers: RunningWorker[] = [];
  const handed = new Map<string, RecordedEvent[]>();

  beforeAll(async () => {
    database = await TestDatabase.create();
    clickHouse = await TestClickHouse.open('chdb');
    telemetry = new TelemetryStore(clickHouse.endpoint);
    await telemetry.migrate();
    watch();
    const imports = [
      MessagesModule.forRoot(database.tenants(WRITERS)),
      IdentityModule.forRoot(new Grants(database.as('holdfast_auth'))),
      TenantsModule.forRoot(database.as('holdfast_ops')),
    ];
    app = await (await Test.createTestingModule({ imports }).compile()).init();
    workers.push(await start(), await start());
  }, 60_000);
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await app.close();
    await telemetry.close();
    await clickHouse.close();
    await database.drop();
  });

  /** Notes what every group is handed that workers list, on its way into the real consumer. Kafka's has its own test. */
  function watch(): void {
    const grants = new Grants(database.as('holdfast_auth', 1));
    const webhooks = new WebhookDelivery({
      tenants: database.tenants(1),
      relay: database.as('holdfast_relay', 1),
      grants,
      settings: { keys: [], allowedNetworks: [] },
      report: () => {},
    });
    for (const consumer of consumersOf({ config: workerConfig(), telemetry, webhooks, kafka: undefined })) {
      const { group, kind } = declarationOf(consumer);
      const events: RecordedEvent[] = [];
      handed.set(group, events);
      const prototype = Object.getPrototypeOf(consumer) as object;
      const deliver = Reflect.get(prototype, 'deliver') as (...given: unknown[]) => Promise<void>;
      Reflect.set(prototype, 'deliver', async function (this: unknown, ...given: unknown[]) {
        await deliver.apply(this, given);
        events.push(...(given[kind === 'store' ? 0 : 1] as readonly RecordedEvent[]));
      });
    }
  }

  function workerConfig(): WorkerConfig {
    return readConfig('worker', {
      DATABASE_URL: database.url('holdfast_app'),
      DATABASE_AUTH_URL: database.url('holdfast_auth'),
      DATABASE_RELAY_URL: database.url('holdfast_relay'),
      DATABASE_JOBS_URL: database.url('holdfast_jobs'),
      CLICKHOUSE_URL: 'http://127.0.0.1:1/unused',
      NODE_ENV: 'test',
    });
  }

  function start(): Promise<RunningWorker> {
    return startWorker(workerConfig(), {
      logger: createLogger({ app: 'worker', level: 'error' }),
      telemetry,
      serveMetrics: false,
    });
  }

  async function tenant(slug: string): Promise<Caller> {
    const grants = new Grants(database.as('holdfast_auth', 1));
    const caller = callerOf(await grants.forSystem('operator', newId(), '', 'operator:ann'), {
      requestId: newId(),
    });
    await app.get(CommandBus).execute(new CreateTenant(caller, { slug, name: slug }));
    return caller;
  }

  /** Changes the tenant again and again; what is refused meanwhile (it is suspended already) was no change. */
  async function write(caller: Caller, writer: number): Promise<void> {
    const commands = app.get(CommandBus);
    for (let round = 0; round < ROUNDS; round += 1) {
      const plan = PLANS[(writer + round) % PLANS.length] ?? 'free';
      await commands.execute(new ChangePlan(caller, { plan }));
      await commands.execute(new SuspendTenant(caller, { reason: 'to write' })).catch(() => {}); // Refused.
      await commands.execute(new ResumeTenant(caller, {})).catch(() => {}); // Refused.
    }
  }

  it('gets the events of a stream in the order of its versions, and none twice', async () => {
    const callers = [await tenant('one'), await tenant('two')];
    await Promise.all(
      Array.from({ length: WRITERS }, (_, writer) => write(callers[writer % callers.length]!, writer)),
    );
    const [logged] = await database.admin<{ events: number }>(
      'select count(*)::int as events from events.log',
    );
    expect(logged?.events).toBeGreaterThan(WRITERS * 5);
    for (let look = 0; look < 300; look += 1) {
      if ([...handed.values()].every((events) => events.length >= (logged?.events ?? 0))) break;
      await sleep(50);
    }
    for (const [group, events] of handed) {
      const streams = Map.groupBy(events, ({ streamId }) => streamId);
      const orders = [...streams.values()].map((stream) =>
        stream.map(({ streamVersion }) => Number(streamVersion)),
      );
      const wanted = orders.map((order) => order.map((_, at) => at + 1));
      expect([group, orders]).toEqual([group, wanted]);
      expect([group, events.length]).toEqual([group, logged?.events]);
    }
  }, 90_000);
});
