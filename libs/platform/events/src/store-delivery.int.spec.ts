import { newId } from '@holdfast/kernel';
import type { Database } from '@holdfast/database';
import { TestDatabase } from '@holdfast/testing';
import { storeConsumer } from '../test/consumers';
import { appendUnderLock, prepareKeys } from '../test/event-writers';
import type { RecordedEvent } from './recorded-event';
import { declarationOf } from './consumer';
import { registerGroup } from './groups.sql';
import { BatchRefused } from './batch-refused';
import { StoreDelivery } from './store-delivery';
import { acquireLease, makeTick } from './ticks.sql';

interface Sent {
  readonly token: string;
  readonly ids: readonly string[];
}

describe('Delivery to a store group', () => {
  let database: TestDatabase;
  let relay: Database;
  let lease: { holder: string; fence: bigint; leaseMs: number };
  let append: (count: number) => Promise<void>;
  const errors: string[] = [];

  beforeEach(async () => {
    database = await TestDatabase.create();
    relay = database.as('holdfast_relay');
    lease = { holder: 'test', fence: (await acquireLease(relay, 'test', 60_000)) ?? 0n, leaseMs: 60_000 };
    const [caller, key, tenants] = [await database.caller(newId()), newId(), database.tenants(2)];
    await prepareKeys(database, caller.tenantId, [key]);
    append = async (count) => {
      for (let i = 0; i < count; i += 1)
        await tenants.transaction(caller, (tx) => appendUnderLock(tx, [key]));
      await makeTick(relay, lease);
    };
    await registerGroup(relay, declarationOf(storeConsumer()));
    errors.length = 0;
  });
  afterEach(() => database.drop());

  const sender = (
    sent: Sent[],
    batchMax: number,
    after?: (events: readonly RecordedEvent[]) => Promise<void>,
  ): StoreDelivery => {
    const group = storeConsumer(
      async (events, token) => {
        sent.push({ token, ids: events.map(({ id }) => id) });
        await after?.(events);
      },
      { batchMax },
    );
    return new StoreDelivery(group, relay, (error) => errors.push(String(error)));
  };
  const logged = async (): Promise<string[]> =>
    (await database.admin<{ id: string }>('select id from events.log order by seq')).map(({ id }) => id);

  it('confirms a sender for as long as it holds the cursor, and not when another may', async () => {
    await append(2);
    const answers: string[] = [];
    const group = storeConsumer(async (_events, _token, confirm) => {
      const ask = (): Promise<unknown> =>
        confirm().then(
          () => answers.push('holds it'),
          () => answers.push('does not'),
        );
      await ask();
      await database.admin(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and state = 'idle in transaction' and usename = 'holdfast_relay'`,
      );
      await ask();
    });
    await new StoreDelivery(group, relay, (error) => errors.push(String(error))).deliver();
    expect(answers).toEqual(['holds it', 'does not']);
    expect(errors).toHaveLength(1);
  });

  it('sends the same events under the same token when it died between sending and moving on', async () => {
    await append(25);
    const sent: Sent[] = [];
    const kill = async (): Promise<void> => {
      const killed = await database.admin(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and state = 'idle in transaction' and usename = 'holdfast_relay'`,
      );
      expect(killed).toHaveLength(1);
    };
    await sender(sent, 10, kill).deliver();
    expect(errors).toHaveLength(1);
    expect(sent).toHaveLength(1);
    await append(5); // What comes meanwhile changes nothing about the batch.
    await database.admin('update events.store_cursors set retry_at = null');
    // Another process, and another limit.
    await sender(sent, 1_000).deliver();
    expect(sent[1]).toEqual(sent[0]);
    expect(sent.slice(1).flatMap(({ ids }) => ids)).toEqual(await logged());
    expect(new Set(sent.map(({ token }) => token)).size).toBe(sent.length - 1);
  });

  it('sends each event once when several workers are woken at once', async () => {
    await append(60);
    const sent: Sent[] = [];
    await Promise.all([0, 1, 2].map(() => sender(sent, 7).deliver()));
    await sender(sent, 7).deliver();
    expect(sent.flatMap(({ ids }) => ids)).toEqual(await logged());
    expect(errors).toEqual([]);
  });

  it('waits longer with each failure, and forgets them when the store is back', async () => {
    await append(3);
    const sent: Sent[] = [];
    let away = true;
    const delivery = sender(sent, 10, () =>
      away ? Promise.reject(new Error('store is away')) : Promise.resolve(),
    );
    await delivery.deliver();
    await database.admin(`update events.store_cursors set retry_at = retry_at + interval '1 minute'`);
    await delivery.deliver(); // Not due: nothing is sent.
    expect(sent).toHaveLength(1);
    expect(await database.admin('select attempts, last_error from events.store_cursors')).toEqual([
      { attempts: 1, last_error: 'Error: store is away' },
    ]);
    away = false;
    await database.admin('update events.store_cursors set retry_at = null');
    await delivery.deliver();
    expect(sent[1]).toEqual(sent[0]);
    expect(
      await database.admin('select attempts, through_seq, to_tick, from_tick from events.store_cursors'),
    ).toEqual([{ attempts: 0, through_seq: null, to_tick: null, from_tick: '1' }]);
  });

  it('halves a batch that the store refuses, parks the event that is refused alone, and goes on', async () => {
    await append(40);
    const ids = await logged();
    const poisoned = ids[29] ?? '';
    const [sent, stored]: [Sent[], string[]] = [[], []];
    let refusing = true;
    const take = async (events: readonly RecordedEvent[]): Promise<void> => {
      if (refusing && events.some(({ id }) => id === poisoned))
        throw new BatchRefused(new Error('cannot parse'));
      stored.push(...events.map(({ id }) => id));
    };
    await sender(sent, 40, take).deliver();
    // All are of one key: what comes after the refused event waits behind it.
    expect(stored).toEqual(ids.slice(0, 29));
    expect(await database.admin('select attempts, from_tick from events.store_cursors')).toEqual([
      { attempts: 0, from_tick: '1' },
    ]);
    expect(
      await database.admin('select state, event_count::int, last_error from events.parked_keys'),
    ).toEqual([
      {
        state: 'retrying',
        event_count: 11,
        last_error: 'BatchRefused: the store refused a batch: Error: cannot parse',
      },
    ]);
    // Another process sends the same event alone; once it is taken, the rest follows.
    await database.admin('update events.parked_keys set retry_at = clock_timestamp()');
    refusing = false;
    await sender(sent, 40, take).deliver();
    expect(stored).toEqual(ids);
    // Each range that was cut anew has a token of its own; only the refused event was sent twice under one.
    const tokens = sent.map(({ token }) => token);
    expect(new Set(tokens.filter((token, at) => tokens.indexOf(token) !== at)).size).toBe(1);
    expect(await database.admin('select from events.parked_keys')).toEqual([]);
  });

  it('keeps a batch whole whose outcome is not known', async () => {
    await append(8);
    const sent: Sent[] = [];
    const delivery = sender(sent, 10, () => Promise.reject(new Error('connection lost')));
    for (let i = 0; i < 4; i += 1) {
      await delivery.deliver();
      await database.admin('update events.store_cursors set retry_at = null');
    }
    expect(sent).toEqual([sent[0], sent[0], sent[0], sent[0]]);
  });

  it('ends after the batch under way when it is told to stop', async () => {
    await append(30);
    const sent: Sent[] = [];
    const stopping = new AbortController();
    await sender(sent, 10, async () => stopping.abort()).deliver(stopping.signal);
    expect(sent).toHaveLength(1);
    await sender(sent, 10).deliver();
    expect(sent.flatMap(({ ids }) => ids)).toEqual(await logged());
  });

  it('hands over instants with all their microseconds', async () => {
    await append(5);
    const instants: string[] = [];
    await sender([], 10, async (events) => {
      instants.push(...events.map(({ occurredAt }) => occurredAt));
    }).deliver();
    const logs = await database.admin<{ at: string }>(
      `select to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at from events.log order by seq`,
    );
    expect(instants).toEqual(logs.map(({ at }) => at));
    expect(instants.some((at) => !at.endsWith('000Z'))).toBe(true);
  });
});
