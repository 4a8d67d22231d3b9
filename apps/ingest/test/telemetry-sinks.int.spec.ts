import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClickHouseSink, TelemetryStore } from '@holdfast/clickhouse';
import { BatchRefusedBySink, type TelemetryBatch, type TelemetrySink } from '@holdfast/ingest';
import { KafkaBroker, KafkaSink } from '@holdfast/kafka';
import { newId } from '@holdfast/kernel';
import { metricsText } from '@holdfast/observability';
import { TcpProxy, TestClickHouse, TestKafka, whyNoKafka } from '@holdfast/testing';
import { senderNameOf } from '../src/sender-name';

/** A message as a reader of the store gets it. */
interface Stored {
  readonly id: string;
  readonly name: string;
  readonly properties: string;
}

/** A store under test. */
interface Bench {
  /** A sink; two of them are of two processes under one name. */
  open(): TelemetrySink;
  /** The messages of a tenant in the order of their ids. */
  read(tenantId: string): Promise<readonly Stored[]>;
  /** A line that this store cannot take. */
  poison(tenantId: string): string;
  /** The store stops answering, with connections open; and comes back. */
  hang(): Promise<void>;
  resume(): Promise<void>;
  /** An answer is lost on its way, where the store does not say when after so many milliseconds. */
  loseAnswer(afterMs: number): Promise<void>;
  close(): Promise<void>;
}

const AT_MS = Date.parse('2026-11-20T10:00:00.000Z');

/** A row as it is written at the door; `change` takes the place of members. */
function lineOf(tenantId: string, id: string, change: object = {}, properties = '{"n":1}'): string {
  const row = {
    tenant_id: tenantId,
    message_id: id,
    kind: 'track',
    name: 'opened',
    user_id: 'user-1',
    anonymous_id: '',
    group_id: '',
    at: new Date(AT_MS).toISOString(),
    made_at: AT_MS,
    received_at: new Date(AT_MS + 50).toISOString(),
    key_id: newId(),
    keep_days: 3_000,
    ...change,
  };
  return `${JSON.stringify(row).slice(0, -1)},"properties":${properties},"context":{}}`;
}

function batchOf(tenantId: string, lines: readonly string[]): TelemetryBatch {
  return {
    table: 'tracked',
    token: newId(),
    rows: lines.map((line) => ({ tenantId, priority: 'normal', line })),
  };
}

const idsFrom = (first: number, count: number): string[] =>
  Array.from({ length: count }, (_, place) => `m-${String(first + place).padStart(5, '0')}`);
const messages = (tenantId: string, first: number, count: number): TelemetryBatch =>
  batchOf(
    tenantId,
    idsFrom(first, count).map((id) => lineOf(tenantId, id)),
  );

async function onClickHouse(): Promise<Bench> {
  const clickHouse = await TestClickHouse.open('front');
  const url = new URL('url' in clickHouse.endpoint ? clickHouse.endpoint.url : '');
  const store = new TelemetryStore({ url: url.href });
  const proxy = await TcpProxy.start(Number(url.port));
  const opened: TelemetrySink[] = [];
  const text = `select message_id as id, name, properties from telemetry.tenant_tracked(tenant_id = {tenant_id:UUID}) order by id`;
  return {
    open: () => {
      const sink = new ClickHouseSink({
        url: Object.assign(new URL(url), { port: String(proxy.port) }).href,
      });
      opened.push(sink);
      return sink;
    },
    read: (tenantId) => store.read<Stored>(tenantId, { text }, {}),
    poison: (tenantId) => lineOf(tenantId, 'poison', { key_id: 'nobody' }),
    hang: () => proxy.set('hang'),
    resume: async () => {
      proxy.cut();
      await proxy.set('pass');
    },
    loseAnswer: () => proxy.set('cut-answers'),
    close: async () => {
      await Promise.all(opened.map((sink) => sink.close()));
      await store.close();
      await proxy.close();
      await clickHouse.close();
    },
  };
}

async function onKafka(): Promise<Bench> {
  const kafka = await TestKafka.start();
  const prefix = `p-${randomUUID().slice(0, 8)}`;
  const topics = { partitions: 3, replicas: 1, retentionMs: 3_600_000 };
  const topic = `${prefix}.telemetry`;
  const brokerOf = (name: string): KafkaBroker =>
    new KafkaBroker({ brokers: [kafka.brokers], prefix, topics }, `${prefix}.${name}`);
  const opened: TelemetrySink[] = [];
  const follower = kafka.follow(topic);
  const marker = brokerOf('marker');
  /** Writes behind everything, in each partition: that a key of these falls into none of one has a probability of 1e-11. */
  const mark = async (): Promise<string> => {
    const token = randomUUID();
    const marks = Array.from({ length: 64 }, (_, key) => ({
      topic,
      key: `mark ${key}`,
      value: '{}',
      headers: { mark: token },
    }));
    await stored(() => marker.produce({ messages: marks, token, confirm: () => Promise.resolve() }));
    return token;
  };
  return {
    open: () => {
      const sink = new KafkaSink(brokerOf('ingest'), prefix);
      opened.push(sink);
      return sink;
    },
    read: async (tenantId) =>
      (await follower.readTo('mark', await mark(), topics.partitions))
        .filter(({ headers, key }) => headers['tenant_id'] === tenantId && key === `${tenantId}/user-1`)
        .map(({ headers, value }) => ({
          id: headers['message_id'] ?? '',
          name: (JSON.parse(value) as { name: string }).name,
          properties: /"properties":(.*),"context":/.exec(value)?.[1] ?? '',
        }))
        .toSorted((one, other) => (one.id < other.id ? -1 : 1)),
    // Random, for what counts is its size once it is compressed.
    poison: (tenantId) =>
      lineOf(tenantId, 'poison', { name: randomBytes(3 * 1024 * 1024).toString('base64') }),
    hang: () => Promise.resolve(kafka.pause()),
    resume: () => Promise.resolve(kafka.resume()),
    loseAnswer: async (afterMs) => {
      await sleep(afterMs);
      kafka.pause();
    },
    close: async () => {
      await Promise.all([...opened, marker, follower].map((each) => each.close()));
      await kafka.close();
    },
  };
}

const benches: [string, () => Promise<Bench>][] = [['ClickHouse', onClickHouse]];
const whyNotOnKafka = whyNoKafka();
if (whyNotOnKafka) process.stdout.write(`The suite of stores leaves Kafka out: ${whyNotOnKafka}\n`);
else benches.push(['Kafka', onKafka]);

// Guards promise 7: what a store says that it has, it has, and once.
describe.each(benches)('A store of telemetry: %s', (_name, openBench) => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await openBench();
  }, 120_000);
  afterAll(() => bench.close());

  const idsOf = async (tenantId: string): Promise<string[]> =>
    (await bench.read(tenantId)).map(({ id }) => id);

  it('stores rows as they were written', async () => {
    const tenantId = newId();
    const sink = bench.open();
    const properties = String.raw`{"half":"x\ud800y","nul":"\u0000","big":12345678901234567890123,"a":{"b":[1.0,null]},"a":2}`;
    const name = 'ünï ✓ "quoted" \\ \t';
    const half = { name: 'half \ud800' };
    await sink.ping();
    await sink.store(
      batchOf(tenantId, [
        lineOf(tenantId, 'm-1', { name }, properties),
        lineOf(tenantId, 'm-2', half, '{ "}{" : "\\"" }'),
      ]),
    );
    const [first, second] = await bench.read(tenantId);
    expect(first).toEqual({ id: 'm-1', name, properties });
    expect(second).toMatchObject({ id: 'm-2', properties: '{ "}{" : "\\"" }' });
  });

  it('takes a batch once, however often and by whomever it is sent', async () => {
    const tenantId = newId();
    const [one, other] = [bench.open(), bench.open()];
    const [first, second] = [messages(tenantId, 0, 50), messages(tenantId, 50, 50)];
    for (const batch of [first, first, second, first, second]) await one.store(batch);
    await other.store(second);
    expect(await idsOf(tenantId)).toEqual(idsFrom(0, 100));
  });

  it('keeps tenants and batches apart that are sent at once', async () => {
    const tenants = [newId(), newId(), newId()];
    const sink = bench.open();
    await Promise.all(tenants.map((tenantId) => sink.store(messages(tenantId, 0, 20))));
    for (const tenantId of tenants) expect(await idsOf(tenantId)).toEqual(idsFrom(0, 20));
  });

  it('has each message once for readers that go by ids, when it came three times in other batches', async () => {
    const tenantId = newId();
    const sink = bench.open();
    for (const size of [300, 75, 12])
      for (let from = 0; from < 300; from += size) await sink.store(messages(tenantId, from, size));
    expect([...new Set(await idsOf(tenantId))]).toEqual(idsFrom(0, 300));
  });

  it('refuses a batch with a row that it cannot take, stores none of it, and takes the others', async () => {
    const tenantId = newId();
    const sink = bench.open();
    const good = messages(tenantId, 0, 4);
    const poison = batchOf(tenantId, [bench.poison(tenantId)]);
    const both = { ...good, token: newId(), rows: good.rows.toSpliced(2, 0, ...poison.rows) };
    await expect(sink.store(both)).rejects.toThrow(BatchRefusedBySink);
    await expect(sink.store(poison)).rejects.toThrow(BatchRefusedBySink);
    expect(await idsOf(tenantId)).toEqual([]);
    await sink.store(good);
    expect(await idsOf(tenantId)).toEqual(idsFrom(0, 4));
  });

  it('fails while the store hangs, without calling it a refusal, and goes on after it', async () => {
    const tenantId = newId();
    const sink = bench.open();
    await sink.store(messages(tenantId, 0, 3));
    const batch = messages(tenantId, 3, 3);
    await bench.hang();
    const outcome = await outcomeOf(sink.store(batch));
    await bench.resume();
    expect(outcome).toBe('unknown');
    await stored(() => sink.store(messages(tenantId, 6, 3)));
    await sink.store(batch);
    expect(await idsOf(tenantId)).toEqual(idsFrom(0, 9));
  }, 90_000);

  it('has a batch once whose answer was lost, with another one between the attempts', async () => {
    const tenantId = newId();
    const sink = bench.open();
    await sink.store(messages(tenantId, 0, 1));
    const outcomes: string[] = [];
    let sent = 1;
    for (let turn = 0; turn < 8 && !outcomes.includes('unknown'); turn += 1) {
      const batch = messages(tenantId, sent, 200);
      const [outcome] = await Promise.all([outcomeOf(sink.store(batch)), bench.loseAnswer(turn * 8)]);
      outcomes.push(outcome);
      await bench.resume();
      await stored(() => sink.store(messages(tenantId, sent + 200, 5)));
      await sink.store(batch);
      sent += 205;
    }
    expect(outcomes).toContain('unknown');
    expect(await idsOf(tenantId)).toEqual(idsFrom(0, sent));
  }, 120_000);

  it('is not asked about an empty batch', async () => {
    const tenantId = newId();
    await bench.open().store(batchOf(tenantId, []));
    expect(await idsOf(tenantId)).toEqual([]);
  });
});

// Guards promise 7: a second ingest on a host costs the first one nothing.
(whyNotOnKafka ? describe.skip : describe)('Two ingests on one host', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ingests-'));
  const sinks: TelemetrySink[] = [];
  let kafka: TestKafka;
  beforeAll(async () => {
    kafka = await TestKafka.start();
  }, 120_000);
  afterAll(async () => {
    await Promise.all(sinks.map((sink) => sink.close()));
    await kafka.close();
    rmSync(directory, { recursive: true });
  });

  it('send to Kafka at once, and neither ends the transactions of the other', async () => {
    const prefix = 'holdfast';
    const topics = { partitions: 1, replicas: 1, retentionMs: 3_600_000 };
    for (const place of ['one', 'other']) {
      const name = senderNameOf(prefix, join(directory, place));
      const broker = new KafkaBroker({ brokers: [kafka.brokers], prefix, topics }, name);
      sinks.push(new KafkaSink(broker, prefix));
    }
    const before = await sessions();
    for (let turn = 0; turn < 10; turn += 1)
      await Promise.all(sinks.map((sink) => stored(() => sink.store(messages(newId(), turn, 5)))));
    // A sender that another one has ended takes its name anew.
    expect((await sessions()) - before).toBe(sinks.length);
  }, 90_000);
});

async function sessions(): Promise<number> {
  return Number(/^holdfast_kafka_sessions_total (\d+)/m.exec((await metricsText()).text)?.[1] ?? 0);
}

const outcomeOf = (storing: Promise<void>): Promise<string> =>
  storing.then(
    () => 'stored',
    (error: unknown) => (error instanceof BatchRefusedBySink ? 'refused' : 'unknown'),
  );

/** A store that has just come back may fail once or twice. */
async function stored(store: () => Promise<void>): Promise<void> {
  for (let attempt = 0; (await outcomeOf(store())) !== 'stored'; attempt += 1) {
    if (attempt === 5) throw new Error('the store has not come back');
    await sleep(500);
  }
}
