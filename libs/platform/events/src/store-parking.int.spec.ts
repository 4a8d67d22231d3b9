import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '@holdfast/database';
import { type Caller, newId } from '@holdfast/kernel';
import { TestDatabase } from '@holdfast/testing';
import { storeConsumer } from '../test/consumers';
import { appendUnderLock, prepareKeys } from '../test/event-writers';
import { BatchRefused } from './batch-refused';
import { declarationOf } from './consumer';
import { registerGroup } from './groups.sql';
import type { RecordedEvent } from './recorded-event';
import { StoreDelivery } from './store-delivery';
import { acquireLease, makeTick } from './ticks.sql';

/** A store as Kafka is one: it knows again the batch that it stored last, and no other. */
class LastTokenStore {
  readonly rows: RecordedEvent[] = [];
  refused = new Set<string>();
  /** Streams of which the next batch is stored and its answer lost. */
  silent = new Set<string>();
  private last: string | undefined;

  async take(events: readonly RecordedEvent[], token: string): Promise<void> {
    if (events.some(({ streamId }) => this.refused.has(streamId))) throw new BatchRefused(new Error('no'));
    if (token !== this.last) this.rows.push(...events);
    this.last = token;
    const lost = events.find(({ streamId }) => this.silent.delete(streamId));
    if (lost) throw new Error('the answer was lost');
  }
}

// Guards "once in effect" where what is parked and what comes meanwhile go to the same store.
describe('A parked batch whose answer was lost', () => {
  let database: TestDatabase;
  let relay: Database;
  let lease: { holder: string; fence: bigint; leaseMs: number };
  let caller: Caller;
  let store: LastTokenStore;
  let delivery: StoreDelivery;
  const keys = [newId(), newId(), newId()] as const;
  const [one, other, good] = keys;
  const failures: string[] = [];

  beforeEach(async () => {
    database = await TestDatabase.create();
    relay = database.as('holdfast_relay');
    lease = { holder: 'test', fence: (await acquireLease(relay, 'test', 60_000)) ?? 0n, leaseMs: 60_000 };
    caller = await database.caller(newId());
    await prepareKeys(database, caller.tenantId, keys);
    store = new LastTokenStore();
    const retry = { attemptsMax: 30, baseMs: 200, capMs: 200 };
    const consumer = storeConsumer((events, token) => store.take(events, token), { batchMax: 100, retry });
    await registerGroup(relay, declarationOf(consumer));
    failures.length = 0;
    delivery = new StoreDelivery(consumer, relay, (error) => void failures.push(String(error)));
  });
  afterEach(() => database.drop());

  async function append(...moved: string[]): Promise<void> {
    await database.tenants(1).transaction(caller, (tx) => appendUnderLock(tx, moved));
    await makeTick(relay, lease);
  }

  async function deliverUntilEmpty(): Promise<void> {
    const endsAt = Date.now() + 20_000;
    while (Date.now() < endsAt) {
      await delivery.deliver();
      const [left] = await database.admin<{ keys: number }>(
        'select count(*)::int as keys from events.parked_keys',
      );
      if (left?.keys === 0 && store.rows.some(({ streamId }) => streamId === good)) return;
      await sleep(20);
    }
  }

  it('is settled before anything else is sent, of the log or of another key', async () => {
    store.refused = new Set([one, other]);
    await append(one);
    await append(other);
    for (let turn = 0; turn < 6; turn += 1) await delivery.deliver();
    expect(await database.admin('select key from events.parked_keys')).toHaveLength(2);
    store.refused.clear();
    store.silent = new Set([one, other]);
    await database.admin('update events.parked_keys set retry_at = clock_timestamp()');
    await append(good);
    await deliverUntilEmpty();
    expect(failures.filter((failure) => failure.includes('the answer was lost'))).toHaveLength(2);
    expect(store.rows.map(({ streamId }) => streamId).toSorted()).toEqual(keys.toSorted());
  }, 60_000);
});
