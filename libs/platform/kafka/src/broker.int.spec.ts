import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestKafka, whyNoKafka } from '@holdfast/testing';
import { MemoryBroker } from '../test/memory-broker';
import { type Broker, type BrokerMessage, MessagesRefused } from './broker';
import { KafkaBroker } from './kafka-broker';
import type { KafkaOptions } from './kafka-clients';
import { foundTotal } from './kafka-metrics';

/** A broker under test: how to open a sender of the same name, and what whoever reads what is committed gets. */
interface Bench {
  open(): Broker;
  read(): Promise<readonly Pick<BrokerMessage, 'key' | 'value' | 'headers'>[]>;
  close(): Promise<void>;
}

const confirm = (): Promise<void> => Promise.resolve();
const topics = { partitions: 3, replicas: 1, retentionMs: 3_600_000 };
const optionsFor = (kafka: TestKafka, prefix: string): KafkaOptions => ({
  brokers: [kafka.brokers],
  prefix,
  topics,
});
const messagesOf = (prefix: string, values: readonly string[]): BrokerMessage[] =>
  values.map((value) => ({
    topic: `${prefix}.probe`,
    key: `stream-${Number(value.slice(0, 4)) % 5}`,
    value,
    headers: { ce_id: value.slice(0, 20) },
  }));
const numbers = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, place) => String(from + place).padStart(4, '0'));

function inMemory(): Bench {
  const broker = new MemoryBroker();
  return { open: () => broker, read: async () => broker.stored, close: () => Promise.resolve() };
}

let kafka: TestKafka | undefined;
const prefixes = new Map<Bench, string>();

function onKafka(): Bench {
  const prefix = `p-${randomUUID().slice(0, 8)}`;
  const opened: KafkaBroker[] = [];
  const bench: Bench = {
    open: () => {
      const broker = new KafkaBroker(optionsFor(kafka!, prefix), `${prefix}.kafka`);
      opened.push(broker);
      return broker;
    },
    read: () => kafka!.consume(`${prefix}\\.probe`),
    close: async () => void (await Promise.all(opened.map((broker) => broker.close()))),
  };
  prefixes.set(bench, prefix);
  return bench;
}

const benches: [string, () => Bench][] = [['memory', inMemory]];
if (!whyNoKafka()) benches.push(['Kafka', onKafka]);

beforeAll(async () => {
  if (!whyNoKafka()) kafka = await TestKafka.start();
}, 120_000);
afterAll(() => kafka?.close());

describe.each(benches)('A broker: %s', (_name, openBench) => {
  let bench: Bench;
  let prefix: string;
  beforeEach(() => {
    bench = openBench();
    prefix = prefixes.get(bench) ?? 'p';
  });
  afterEach(() => bench.close());

  it('stores batches in order per key, with keys and headers', async () => {
    const broker = bench.open();
    for (let batch = 0; batch < 5; batch += 1) {
      const messages = messagesOf(prefix, numbers(batch * 20, 20));
      await broker.produce({ messages, token: `t${batch}`, confirm });
    }
    const stored = await bench.read();
    expect(stored).toHaveLength(100);
    for (let key = 0; key < 5; key += 1) {
      const values = stored.filter((message) => message.key === `stream-${key}`).map(({ value }) => value);
      expect(values).toEqual(numbers(0, 100).filter((value) => Number(value) % 5 === key));
    }
    expect(stored.every(({ value, headers }) => headers['ce_id'] === value)).toBe(true);
    await broker.ping();
  });

  it('does not store the last batch again, whoever sends it', async () => {
    const [first, second] = [bench.open(), bench.open()];
    const batch = (from: number) => ({
      messages: messagesOf(prefix, numbers(from, 3)),
      token: `t${from}`,
      confirm,
    });
    await first.produce(batch(0));
    await second.produce(batch(0));
    await second.produce(batch(3));
    await first.produce(batch(3));
    await first.produce(batch(6));
    await second.produce(batch(6));
    expect((await bench.read()).map(({ value }) => value).toSorted()).toEqual(numbers(0, 9));
  });

  it('stores nothing of a batch with a message that is too large', async () => {
    const broker = bench.open();
    // Random, for what counts is its size once it is compressed.
    const large = `0003${randomBytes(3 * 1024 * 1024).toString('base64')}`;
    const messages = messagesOf(prefix, ['0001', '0002', large]);
    await expect(broker.produce({ messages, token: 'large', confirm })).rejects.toThrow(MessagesRefused);
    await broker.produce({ messages: messages.slice(0, 2), token: 'half', confirm });
    expect((await bench.read()).map(({ value }) => value).toSorted()).toEqual(['0001', '0002']);
  });

  it('stores nothing for a sender that may not send any more', async () => {
    const broker = bench.open();
    const lost = (): Promise<void> => Promise.reject(new Error('the lock is gone'));
    const messages = messagesOf(prefix, ['0001']);
    await expect(broker.produce({ messages, token: 't', confirm: lost })).rejects.toThrow('the lock is gone');
    await broker.produce({ messages: messagesOf(prefix, ['0002']), token: 'u', confirm });
    expect((await bench.read()).map(({ value }) => value)).toEqual(['0002']);
  });
});

const found = async (): Promise<number> => (await foundTotal.get()).values[0]?.value ?? 0;
/** Of 50 messages each. */
const BATCHES_MAX = 80;
const describeKafka = whyNoKafka() ? describe.skip : describe;

// Guards promise 6 where the sender does not hear how a batch ended.
describeKafka('Kafka', () => {
  it('has a batch once that was cut off again and again', async () => {
    const prefix = `p-${randomUUID().slice(0, 8)}`;
    const foundBefore = await found();
    let uncertain = 0;
    let batch = 0;
    // Follows the time that a batch takes here, so that some are cut off before their commit and some behind it.
    let cutAfterMs = 75;
    const hasBoth = async (): Promise<boolean> => uncertain > 5 && (await found()) > foundBefore;
    for (; batch < 20 || (batch < BATCHES_MAX && !(await hasBoth())); batch += 1) {
      const messages = messagesOf(prefix, numbers(batch * 50, 50));
      const attempt = new KafkaBroker(optionsFor(kafka!, prefix), `${prefix}.kafka`);
      const sending = attempt.produce({ messages, token: `t${batch}`, confirm }).then(
        () => true,
        () => false,
      );
      // Somewhere between the beginning of the session and the answer to the commit.
      await sleep(cutAfterMs * (0.5 + Math.random()));
      await attempt.close();
      const isCertain = await sending;
      if (!isCertain) uncertain += 1;
      cutAfterMs *= isCertain ? 0.8 : 1.2;
      const retry = new KafkaBroker(optionsFor(kafka!, prefix), `${prefix}.kafka`);
      await retry.produce({ messages, token: `t${batch}`, confirm });
      await retry.close();
    }
    expect(await hasBoth()).toBe(true);
    const stored = await kafka!.consume(`${prefix}\\.probe`);
    expect(stored.map(({ value }) => value).toSorted()).toEqual(numbers(0, batch * 50));
  }, 120_000);

  it('says what is wrong with a topic that cannot be made', async () => {
    const options = optionsFor(kafka!, `p-${randomUUID().slice(0, 8)}`);
    const broker = new KafkaBroker({ ...options, topics: { ...topics, replicas: 3 } }, 'name');
    const messages = messagesOf(options.prefix, ['0001']);
    await expect(broker.produce({ messages, token: 't', confirm })).rejects.toThrow(
      'INVALID_REPLICATION_FACTOR',
    );
    await broker.close();
  });
});
