import { newId } from '@holdfast/kernel';
import { type TelemetryStatement, TelemetryStore, TelemetryUnavailable } from '@holdfast/clickhouse';
import { TestClickHouse } from '@holdfast/testing';
import { BatchRefused, type RecordedEvent } from '@holdfast/events';
import { ClickHouseConsumer } from './clickhouse-consumer';

const COUNT: TelemetryStatement<{ readonly events: string }> = {
  text: 'select count() as events from telemetry.tenant_events(tenant_id = {tenant_id:UUID})',
};
/** An event as the relay hands it over. */
function eventOf(tenantId: string, seq: number, occurredAt = new Date().toISOString()): RecordedEvent {
  return {
    seq: BigInt(seq),
    id: newId(),
    tenantId,
    streamType: 'test.thing',
    streamId: newId(),
    streamVersion: 1n,
    type: 'test.thing.happened',
    schemaVersion: 1,
    actor: 'key:test',
    act: null,
    correlationId: newId(),
    causationId: null,
    traceparent: null,
    occurredAt,
    data: { quoted: `it's "so" \\ \n ?`, ünï: '✓' },
  };
}

// Guards promise 6: every event takes effect once in the store, and isolation rule 23: reads are one tenant's.
describe.each(TestClickHouse.kinds())('ClickHouseConsumer over %s', (kind) => {
  let clickHouse: TestClickHouse;
  let store: TelemetryStore;
  let group: ClickHouseConsumer;

  beforeAll(async () => {
    clickHouse = await TestClickHouse.open(kind);
    store = new TelemetryStore(clickHouse.endpoint);
    group = new ClickHouseConsumer(store);
    await store.migrate();
  });
  afterAll(async () => {
    await store.close();
    await clickHouse.close();
  });

  const countOf = async (tenantId: string): Promise<number> =>
    Number((await store.read(tenantId, COUNT, {}))[0]!.events);

  it('takes a batch that is sent twice once', async () => {
    const tenantId = newId();
    const events = [1, 2, 3].map((seq) => eventOf(tenantId, seq));
    const token = newId();
    await group.deliver(events, token);
    await group.deliver(events, token);
    expect(await countOf(tenantId)).toBe(3);
  });

  it('drops a batch by its token alone', async () => {
    const tenantId = newId();
    const token = newId();
    await group.deliver([eventOf(tenantId, 1)], token);
    await group.deliver([eventOf(tenantId, 2)], token);
    expect(await countOf(tenantId)).toBe(1);
  });

  it('shows an event once when it comes again in a batch that is cut differently', async () => {
    const tenantId = newId();
    const events = [1, 2, 3, 4].map((seq) => eventOf(tenantId, seq));
    await group.deliver(events.slice(0, 3), newId());
    await group.deliver(events.slice(1), newId());
    expect(await countOf(tenantId)).toBe(4);
  });

  it('says of a batch that cannot be stored that it was refused, and stores none of it', async () => {
    const tenantId = newId();
    const events = [eventOf(tenantId, 1), { ...eventOf(tenantId, 2), streamId: 'not a uuid' }];
    await expect(group.deliver(events, newId())).rejects.toThrow(BatchRefused);
    expect(await countOf(tenantId)).toBe(0);
  });

  it('does not say so of a store that is away', async () => {
    const away = new TelemetryStore({ url: 'http://127.0.0.1:1/' });
    const delivery = new ClickHouseConsumer(away).deliver([eventOf(newId(), 1)], newId());
    await expect(delivery).rejects.toThrow(TelemetryUnavailable);
    await away.close();
  });

  it('keeps a token to its own batch', async () => {
    const tenantId = newId();
    for (const seq of [1, 2, 3]) await group.deliver([eventOf(tenantId, seq)], newId());
    await Promise.all([4, 5, 6].map((seq) => group.deliver([eventOf(tenantId, seq)], newId())));
    expect(await countOf(tenantId)).toBe(6);
  });

  it('shows a tenant its own events only', async () => {
    const [first, second] = [newId(), newId()];
    await group.deliver([eventOf(first, 1), eventOf(second, 2), eventOf(second, 3)], newId());
    expect([await countOf(first), await countOf(second), await countOf(newId())]).toEqual([1, 2, 0]);
  });
});
