import type { Database } from '@holdfast/database';
import { type Caller, newId } from '@holdfast/kernel';
import type { TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { storeConsumer } from '../test/consumers';
import { appendUnderLock, prepareKeys } from '../test/event-writers';
import { BatchRefused } from './batch-refused';
import { declarationOf } from './consumer';
import { registerGroup } from './groups.sql';
import { releaseParkedKey } from './quarantine.sql';
import type { RecordedEvent } from './recorded-event';
import { StoreDelivery } from './store-delivery';
import { acquireLease, makeTick } from './ticks.sql';

const ANN = { actor: 'operator:ann', reason: 'the consumer is mended' };
const RETRY = { attemptsMax: 3, baseMs: 1, capMs: 4 };

interface Stored {
  readonly id: string;
  readonly streamId: string;
  readonly version: number;
}

/** A store that drops a batch if it was the last that it stored, as Kafka does, and refuses what it cannot parse. */
class Shelf {
  readonly rows: Stored[] = [];
  readonly batches = new Map<string, string>();
  private last = '';
  isPoison: (event: RecordedEvent) => boolean = () => false;
  /** Called when the batch is stored and the answer is on its way. */
  afterwards: () => Promise<void> = () => Promise.resolve();

  async take(events: readonly RecordedEvent[], token: string): Promise<void> {
    if (events.some((event) => this.isPoison(event))) throw new BatchRefused(new Error('cannot parse'));
    const ids = events.map(({ id }) => id).join();
    const before = this.batches.get(token);
    if (before !== undefined && before !== ids) throw new Error('the same token for other events');
    this.batches.set(token, ids);
    const isCopy = token === this.last;
    this.last = token;
    if (!isCopy)
      this.rows.push(
        ...events.map(({ id, streamId, streamVersion }) => ({
          id,
          streamId,
          version: Number(streamVersion),
        })),
      );
    await this.afterwards();
  }

  versionsOf(key: string): number[] {
    return this.rows.filter(({ streamId }) => streamId === key).map(({ version }) => version);
  }
}

// Guards promise 6 for stores: a refused event neither loses, nor reorders, nor stalls the others, of any tenant.
describe('A poisoned event in a store group', () => {
  let database: TestDatabase;
  let relay: Database;
  let tenants: TenantDatabase;
  let writers: { readonly caller: Caller; readonly keys: readonly string[] }[];
  let lease: { holder: string; fence: bigint; leaseMs: number };
  let shelf: Shelf;
  const errors: string[] = [];

  beforeEach(async () => {
    database = await TestDatabase.create();
    relay = database.as('holdfast_relay');
    tenants = database.tenants(4);
    lease = { holder: 'test', fence: (await acquireLease(relay, 'test', 60_000)) ?? 0n, leaseMs: 60_000 };
    writers = [];
    for (let n = 0; n < 10; n += 1) {
      const [caller, keys] = [await database.caller(newId()), Array.from({ length: 10 }, () => newId())];
      await prepareKeys(database, caller.tenantId, keys);
      writers.push({ caller, keys: keys.toSorted() });
    }
    await registerGroup(relay, declarationOf(storeConsumer()));
    shelf = new Shelf();
    errors.length = 0;
  });
  afterEach(() => database.drop());

  /** One event on each key of each tenant, so many times. */
  const append = async (rounds: number, of = writers): Promise<void> => {
    for (let round = 0; round < rounds; round += 1) {
      await Promise.all(
        of.map(({ caller, keys }) => tenants.transaction(caller, (tx) => appendUnderLock(tx, keys))),
      );
      if (round % 9 === 0) await makeTick(relay, lease);
    }
    await makeTick(relay, lease);
  };
  const worker = (batchMax = 1_000): StoreDelivery => {
    const declared = { batchMax, retry: RETRY };
    const consumer = storeConsumer((events, token) => shelf.take(events, token), declared);
    return new StoreDelivery(consumer, relay, (error) => errors.push(String(error)));
  };
  /** Wakes the group as the relay does, until it has nothing that is due. */
  const settle = async (delivery: StoreDelivery): Promise<void> => {
    for (let wake = 0; wake < 400; wake += 1) {
      const isMore = await delivery.deliver();
      const [due] = await database.admin<{ due: boolean }>(
        `select exists (select from events.parked_keys where retry_at is not null)
           or exists (select from events.store_cursors where from_tick < (select max(id) from events.ticks)) as due`,
      );
      if (!isMore && !due?.due) return;
    }
    throw new Error('it does not settle');
  };
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);
  const parked = (): Promise<unknown[]> =>
    database.admin(
      'select tenant_id, key, state, attempts, event_count::int, last_error from events.parked_keys order by key',
    );
  const release = (
    { caller }: { readonly caller: Caller },
    key: string,
    isSkipping = false,
  ): Promise<unknown> =>
    tenants.transaction(caller, (tx) =>
      releaseParkedKey(tx, 'store', `probe.key/${key}`, { isSkipping, ...ANN }),
    );
  const allKeys = (): string[] => writers.flatMap(({ keys }) => keys);

  it('parks only its key among 10,000 events, and drains in order when it is released', async () => {
    await append(100);
    const unlucky = writers[3]!;
    const bad = unlucky.keys[7]!;
    shelf.isPoison = ({ streamId, streamVersion }) => streamId === bad && streamVersion === 58n;
    await settle(worker());
    const quarantined = {
      tenant_id: unlucky.caller.tenantId,
      key: `probe.key/${bad}`,
      state: 'quarantined',
      last_error: 'BatchRefused: the store refused a batch: Error: cannot parse',
    };
    expect(await parked()).toEqual([{ ...quarantined, attempts: 3, event_count: 43 }]);
    expect(shelf.versionsOf(bad)).toEqual(upTo(57));
    expect(shelf.rows).toHaveLength(10_000 - 43);

    // What comes later waits behind it, and others pass it.
    await append(3);
    await settle(worker());
    expect(shelf.rows).toHaveLength(10_300 - 46);
    // Released while the store is as it was: quarantined again, at the same event.
    expect(await release(unlucky, bad)).toMatchObject({ eventCount: 46n });
    await settle(worker());
    expect(await parked()).toEqual([{ ...quarantined, attempts: 1, event_count: 46 }]);

    // The store is mended; two workers at once, while more is written.
    shelf.isPoison = () => false;
    await release(unlucky, bad);
    await Promise.all([append(2), worker().deliver(), worker(70).deliver()]);
    await settle(worker());
    expect(await parked()).toEqual([]);
    for (const key of allKeys()) expect(shelf.versionsOf(key)).toEqual(upTo(105));
    expect(new Set(shelf.rows.map(({ id }) => id)).size).toBe(10_500);
  }, 120_000);

  it('goes on without the failed event when an operator says so', async () => {
    await append(4);
    const unlucky = writers[0]!;
    const bad = unlucky.keys[0]!;
    shelf.isPoison = ({ streamId, streamVersion }) => streamId === bad && streamVersion === 2n;
    await settle(worker());
    await release(unlucky, bad, true);
    await settle(worker());
    expect(await parked()).toEqual([]);
    expect(shelf.versionsOf(bad)).toEqual([1, 3, 4]);
    expect(shelf.rows).toHaveLength(399);
  }, 30_000);

  // Where the answer is lost, the same events go out again under the same token, whatever was parked or drained meanwhile.
  it('stores once when a sender is killed behind every second batch', async () => {
    await append(12, writers.slice(0, 3));
    const unlucky = writers[1]!;
    const bad = unlucky.keys[4]!;
    shelf.isPoison = ({ streamId, streamVersion }) => streamId === bad && streamVersion === 3n;
    let [calls, killed] = [0, 0];
    shelf.afterwards = async () => {
      calls += 1;
      if (calls % 2 === 0) return;
      const found = await database.admin(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and state = 'idle in transaction' and usename = 'holdfast_relay'`,
      );
      killed += found.length;
    };
    await settle(worker(50));
    await append(2, writers.slice(0, 3));
    await settle(worker(30));
    expect(await parked()).toMatchObject([{ state: 'quarantined', event_count: 12 }]);
    shelf.isPoison = () => false;
    await release(unlucky, bad);
    await settle(worker(40));
    expect(killed).toBeGreaterThan(8);
    expect(await parked()).toEqual([]);
    for (const { keys } of writers.slice(0, 3))
      for (const key of keys) expect(shelf.versionsOf(key)).toEqual(upTo(14));
    expect(shelf.rows).toHaveLength(420);
  }, 60_000);

  it('sends nothing else while it is not known whether a parked batch arrived', async () => {
    await append(1, writers.slice(0, 1));
    const [unlucky] = writers;
    const bad = unlucky!.keys[0]!;
    shelf.isPoison = ({ streamId }) => streamId === bad;
    await settle(worker());
    shelf.isPoison = () => false;
    let lost = 0;
    shelf.afterwards = async () => {
      if ((lost += 1) === 1) throw new Error('the answer was lost');
    };
    await release(unlucky!, bad);
    await append(2);
    await settle(worker());
    expect(lost).toBeGreaterThan(2);
    expect(new Set(shelf.rows.map(({ id }) => id)).size).toBe(shelf.rows.length);
    expect(shelf.versionsOf(bad)).toEqual(upTo(3));
    expect(shelf.rows).toHaveLength(10 + 200);
  }, 30_000);

  it('waits where a store refuses everything, and parks no more than ten keys', async () => {
    await append(2);
    shelf.isPoison = () => true;
    const delivery = worker();
    await delivery.deliver();
    expect((await parked()).length).toBeLessThanOrEqual(10);
    expect(await database.admin('select attempts, last_error from events.store_cursors')).toEqual([
      { attempts: 1, last_error: expect.stringContaining('BatchRefused') },
    ]);
    shelf.isPoison = () => false;
    for (const writer of writers) for (const key of writer.keys) await release(writer, key);
    await settle(delivery);
    for (const key of allKeys()) expect(shelf.versionsOf(key)).toEqual(upTo(2));
  }, 30_000);
});
