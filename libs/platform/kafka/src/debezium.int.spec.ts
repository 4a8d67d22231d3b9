import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import {
  type ConsumedMessage,
  type KafkaConnect,
  LogicalServer,
  TestKafka,
  whyNoKafka,
} from '@holdfast/testing';

const file = resolve(__dirname, '../../../../deploy/debezium/connector.json');
const connector = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly name: string;
  readonly config: Readonly<Record<string, string>>;
};
const PASSWORD = 'debezium-test';
const EVENTS = 60;

// Guards what deploy/debezium says: the file that operators are given works, with the rights that it names and no more.
(whyNoKafka() ? describe.skip : describe)('Debezium with our configuration', () => {
  let server: LogicalServer;
  let kafka: TestKafka;
  let connect: KafkaConnect;

  beforeAll(async () => {
    [server, kafka] = await Promise.all([LogicalServer.start(), TestKafka.start()]);
    const { database } = server;
    await database.admin(`create role debezium login replication password '${PASSWORD}'`);
    await database.admin(`grant connect on database ${database.name} to debezium`);
    connect = kafka.connect({
      ...connector,
      config: {
        ...connector.config,
        'database.hostname': '127.0.0.1',
        'database.port': String(server.port),
        'database.dbname': database.name,
        'database.password': PASSWORD,
        'topic.creation.default.replication.factor': '1',
      },
    });
  }, 180_000);
  afterAll(async () => {
    await connect.stop();
    await kafka.close();
    await server.close();
  });

  async function slotIsActive(): Promise<boolean> {
    const slots = await server.database.admin<{ active: boolean }>(
      `select active from pg_replication_slots where slot_name = 'holdfast_events'`,
    );
    return slots[0]?.active ?? false;
  }

  async function consumed(count: number): Promise<ConsumedMessage[]> {
    const endsAt = Date.now() + 60_000;
    for (;;) {
      const messages = await kafka.consume('holdfast\\.cdc\\.probe');
      if (messages.length >= count || Date.now() > endsAt) return messages;
    }
  }

  it('brings every event to the topic of its module, in the order of its stream', async () => {
    const endsAt = Date.now() + 90_000;
    while (!(await slotIsActive()) && Date.now() < endsAt) await sleep(200);
    if (!(await slotIsActive())) throw new Error(`Debezium has not connected:\n${connect.output}`);
    const { database } = server;
    const caller = await database.caller(newId());
    const tenants = database.tenants(1);
    const streams = [newId(), newId(), newId()];
    const ids: string[] = [];
    for (let turn = 0; turn < EVENTS; turn += 1) {
      const event = {
        id: newId(),
        type: 'probe.thing.moved',
        schemaVersion: 1,
        streamType: 'probe.thing',
        streamId: streams[turn % 3]!,
        streamVersion: BigInt(Math.floor(turn / 3) + 1),
        payload: JSON.stringify({ turn }),
      };
      await tenants.transaction(caller, (tx) => tx.announce(event));
      ids.push(event.id);
    }
    const messages = await consumed(EVENTS);
    if (messages.length < EVENTS) throw new Error(connect.output);
    expect(messages.map(({ headers }) => headers['ce_id'] ?? '').toSorted()).toEqual(ids.toSorted());
    expect(new Set(messages.map(({ headers }) => headers['ce_tenantid']))).toEqual(
      new Set([caller.tenantId]),
    );
    for (const [key, stream] of Map.groupBy(messages, (message) => message.key)) {
      expect(streams).toContain(key);
      const inOrder = stream.toSorted((one, other) => one.offset - other.offset);
      expect(inOrder.map(({ headers }) => Number(headers['ce_streamversion']))).toEqual(
        inOrder.map((_, place) => place + 1),
      );
    }
    expect(
      messages.map(({ value }) => (JSON.parse(value) as { turn: number }).turn).toSorted((a, b) => a - b),
    ).toEqual(Array.from({ length: EVENTS }, (_, turn) => turn));
  }, 240_000);
});
