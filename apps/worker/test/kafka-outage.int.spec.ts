import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig } from '@holdfast/config';
import { newId } from '@holdfast/kernel';
import { TelemetryStore } from '@holdfast/clickhouse';
import { createLogger } from '@holdfast/observability';
import { type ConsumedMessage, TestClickHouse, TestDatabase, TestKafka, whyNoKafka } from '@holdfast/testing';
import { type RunningWorker, startWorker } from '../src/worker';

/** Half of it the broker is stopped in its tracks with its connections open, half of it it is dead. */
const OUTAGE_MS = process.env['HOLDFAST_TEST_LONG'] ? 60_000 : 10_000;
const WRITERS = 4;
const STREAMS = 5;

const describeKafka = whyNoKafka() ? describe.skip : describe;

// Guards promise 6 and fault 11: a broker that is away delays its own group, and then has every event once and in order.
describeKafka('The worker while Kafka is away', () => {
  let database: TestDatabase;
  let clickHouse: TestClickHouse;
  let telemetry: TelemetryStore;
  let kafka: TestKafka;
  const workers: RunningWorker[] = [];
  const tenantIds = [newId(), newId()];

  beforeAll(async () => {
    kafka = await TestKafka.start();
    database = await TestDatabase.create();
    const [kind] = TestClickHouse.kinds();
    clickHouse = await TestClickHouse.open(kind!);
    telemetry = new TelemetryStore(clickHouse.endpoint);
    await telemetry.migrate();
    workers.push(await start(), await start());
  }, 120_000);
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await telemetry.close();
    await clickHouse.close();
    await database.drop();
    await kafka.close();
  });

  function start(): Promise<RunningWorker> {
    const config = readConfig('worker', {
      DATABASE_URL: database.url('holdfast_app'),
      DATABASE_AUTH_URL: database.url('holdfast_auth'),
      DATABASE_RELAY_URL: database.url('holdfast_relay'),
      DATABASE_JOBS_URL: database.url('holdfast_jobs'),
      CLICKHOUSE_URL: 'http://127.0.0.1:1/unused',
      KAFKA_BROKERS: kafka.brokers,
      KAFKA_TOPIC_PARTITIONS: '4',
      KAFKA_TOPIC_REPLICAS: '1',
      NODE_ENV: 'test',
    });
    const logger = createLogger({ app: 'worker', level: 'fatal' });
    return startWorker(config, { logger, telemetry, serveMetrics: false });
  }

  /** Each writer owns its streams, so the order in which it commits is the order of each. */
  async function write(tenantId: string, load: { isOver: boolean }, committed: string[]): Promise<void> {
    const caller = await database.caller(tenantId);
    const tenants = database.tenants(1);
    const streams = Array.from({ length: STREAMS }, () => newId());
    for (let turn = 0; !load.isOver; turn += 1) {
      const event = {
        id: newId(),
        type: 'probe.thing.moved',
        schemaVersion: 1,
        streamType: 'probe.thing',
        streamId: streams[turn % STREAMS]!,
        streamVersion: BigInt(Math.floor(turn / STREAMS) + 1),
        payload: JSON.stringify({ turn }),
      };
      await tenants.transaction(caller, (tx) => tx.announce(event));
      committed.push(event.id);
      await sleep(25);
    }
  }

  async function cursor(): Promise<{ attempts: number; error: string | null }> {
    const [row] = await database.admin<{ attempts: number; error: string | null }>(
      `select attempts, last_error as error from events.store_cursors where group_name = 'kafka'`,
    );
    return row ?? { attempts: 0, error: null };
  }

  async function inClickHouse(): Promise<number> {
    const counts = await Promise.all(tenantIds.map((tenantId) => telemetry.countRows(tenantId)));
    return counts.reduce((sum, count) => sum + Number(count), 0);
  }

  /** What is committed, once it is as many as were written or a minute has passed. */
  async function settled(count: number): Promise<ConsumedMessage[]> {
    const endsAt = Date.now() + 60_000;
    for (;;) {
      const messages = await kafka.consume('holdfast\\.probe');
      if (messages.length >= count || Date.now() > endsAt) return messages;
      await sleep(1_000);
    }
  }

  it('keeps everything for it, holds up nobody else, and stores each event once and in order', async () => {
    const load = { isOver: false };
    const committed: string[] = [];
    const writing = Array.from({ length: WRITERS }, (_, place) =>
      write(tenantIds[place % tenantIds.length]!, load, committed),
    );
    await sleep(3_000);
    kafka.pause();
    const [writtenBefore, storedBefore] = [committed.length, await inClickHouse()];
    await sleep(OUTAGE_MS / 2);
    kafka.resume();
    await kafka.kill();
    await sleep(OUTAGE_MS / 2);
    const failed = await cursor();
    const { status, checks } = await workers[0]!.health.ready();
    // The outage landed: the group has failed, and knows why.
    expect(failed.attempts).toBeGreaterThan(0);
    expect(failed.error).toContain('BrokerAway');
    // Nobody else noticed: writers went on, the other store got what they wrote, the worker stayed ready.
    expect(committed.length).toBeGreaterThan(writtenBefore + 50);
    expect(await inClickHouse()).toBeGreaterThan(storedBefore + 50);
    expect(status).toBe('ok');
    expect(checks.find(({ name }) => name === 'kafka')?.status).toBe('failed');
    await kafka.restart();
    await sleep(3_000);
    load.isOver = true;
    await Promise.all(writing);
    const messages = await settled(committed.length);
    expect(messages.map(({ headers }) => headers['ce_id'] ?? '').toSorted()).toEqual(committed.toSorted());
    for (const stream of Map.groupBy(messages, ({ key }) => key).values()) {
      expect(new Set(stream.map(({ partition }) => partition)).size).toBe(1);
      const versions = stream.toSorted((one, other) => one.offset - other.offset);
      expect(versions.map(({ headers }) => Number(headers['ce_streamversion']))).toEqual(
        stream.map((_, place) => place + 1),
      );
    }
    const sent = await kafka.consume('holdfast\\.probe', 'read_uncommitted');
    process.stdout.write(
      `Kafka away for ${OUTAGE_MS} ms: ${committed.length} events committed, ${messages.length} in Kafka, ` +
        `${sent.length - messages.length} copies in transactions that were given up, ${failed.attempts} failures.\n`,
    );
    expect(await cursor()).toEqual({ attempts: 0, error: null });
  }, 300_000);
});
