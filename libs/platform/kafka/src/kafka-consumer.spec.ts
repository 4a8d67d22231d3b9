import { randomUUID } from 'node:crypto';
import { BatchRefused, type RecordedEvent } from '@holdfast/events';
import { MemoryBroker } from '../test/memory-broker';
import { BrokerAway } from './broker';
import { KafkaConsumer } from './kafka-consumer';

const confirm = (): Promise<void> => Promise.resolve();

function eventsOf(count: number, data: unknown = {}): RecordedEvent[] {
  return Array.from({ length: count }, (_, place) => ({
    seq: BigInt(place + 1),
    id: randomUUID(),
    tenantId: randomUUID(),
    streamType: 'ledger.transfer',
    streamId: randomUUID(),
    streamVersion: 1n,
    type: 'ledger.transfer.posted',
    schemaVersion: 1,
    actor: 'system:test',
    act: null,
    correlationId: 'request',
    causationId: null,
    traceparent: null,
    occurredAt: '2026-11-26T10:00:00.000000Z',
    data,
  }));
}

// Guards what the delivery is told: only a batch of which nothing is stored may be cut anew.
describe('The group of Kafka', () => {
  it('stores a message for each event, in their order', async () => {
    const broker = new MemoryBroker();
    const events = eventsOf(3);
    await new KafkaConsumer(broker, 'holdfast').deliver(events, 'token', confirm);
    expect(broker.stored.map(({ headers }) => headers['ce_id'])).toEqual(events.map(({ id }) => id));
    expect(new Set(broker.stored.map(({ topic }) => topic))).toEqual(new Set(['holdfast.ledger']));
  });

  it('says that a batch is refused where a message is, and stores none of it', async () => {
    const broker = new MemoryBroker(100);
    const consumer = new KafkaConsumer(broker, 'holdfast');
    const batch = [...eventsOf(2), ...eventsOf(1, { text: 'x'.repeat(200) })];
    await expect(consumer.deliver(batch, 'token', confirm)).rejects.toThrow(BatchRefused);
    expect(broker.stored).toEqual([]);
  });

  it('passes on that it does not know, as it is', async () => {
    const broker = new MemoryBroker();
    broker.produce = () => Promise.reject(new BrokerAway('no answer'));
    const consumer = new KafkaConsumer(broker, 'holdfast');
    await expect(consumer.deliver(eventsOf(1), 'token', confirm)).rejects.toThrow(BrokerAway);
  });
});
