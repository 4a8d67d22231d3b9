import { type Database, statement } from '@holdfast/database';
import { type Caller, newId } from '@holdfast/kernel';
import { Grants, type TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { tenantConsumer } from '../test/consumers';
import { appendUnderLock, prepareKeys } from '../test/event-writers';
import { declarationOf } from './consumer';
import { registerGroup } from './groups.sql';
import { releaseParkedKey } from './quarantine.sql';
import type { RecordedEvent } from './recorded-event';
import { TenantDelivery } from './tenant-delivery';
import { acquireLease, makeTick } from './ticks.sql';

const EFFECT = statement(
  'test.note_effects',
  `insert into probe.noted (tenant_id, key, version) select $1, k, v from unnest($2::text[], $3::bigint[]) e (k, v)`,
);

const ANN = { actor: 'operator:ann', reason: 'the consumer is mended' };
const RETRY = { attemptsMax: 3, baseMs: 1, capMs: 4 };

// Guards promise 6: a poisoned event neither loses, nor reorders, nor stalls the others.
describe('A poisoned event in a tenant group', () => {
  let database: TestDatabase;
  let relay: Database;
  let tenants: TenantDatabase;
  let grants: Grants;
  let caller: Caller;
  let lease: { holder: string; fence: bigint; leaseMs: number };
  const keys = Array.from({ length: 100 }, () => newId()).toSorted();
  const errors: string[] = [];

  beforeEach(async () => {
    database = await TestDatabase.create();
    relay = database.as('holdfast_relay');
    tenants = database.tenants(8);
    grants = new Grants(database.as('holdfast_auth', 2));
    caller = await database.caller(newId());
    lease = { holder: 'test', fence: (await acquireLease(relay, 'test', 60_000)) ?? 0n, leaseMs: 60_000 };
    await prepareKeys(database, caller.tenantId, keys);
    // Whoever takes effect twice, or out of order, has a row that shows it: there is no constraint.
    await database.admin(
      'create table probe.noted (place bigint generated always as identity, tenant_id uuid, key text, version bigint)',
    );
    await database.admin('grant select, insert on probe.noted to holdfast_app');
    await registerGroup(relay, declarationOf(tenantConsumer()));
    errors.length = 0;
  });
  afterEach(() => database.drop());

  /** One event on each key, so many times. */
  const append = async (rounds: number, of: readonly string[] = keys): Promise<void> => {
    for (let round = 0; round < rounds; round += 1) {
      await tenants.transaction(caller, (tx) => appendUnderLock(tx, of));
      if (round % 9 === 0) await makeTick(relay, lease);
    }
    await makeTick(relay, lease);
  };
  const effect = async (tx: TenantTx, events: readonly RecordedEvent[]): Promise<void> => {
    const versions = events.map(({ streamVersion }) => streamVersion);
    await tx.execute(EFFECT, [tx.tenantId, events.map(({ streamId }) => streamId), versions]);
  };
  /** A worker that fails on the events, after it has taken effect. */
  const worker = (isPoison: (event: RecordedEvent) => boolean, declared = {}): TenantDelivery =>
    new TenantDelivery(
      tenantConsumer(
        async (tx, events) => {
          await effect(tx, events);
          if (events.some(isPoison)) throw new Error('poison');
        },
        { retry: RETRY, ...declared },
      ),
      tenants,
      grants,
      (error) => errors.push(String(error)),
    );
  /** Wakes the tenant as the relay does, until it has nothing that is due. */
  const settle = async (delivery: TenantDelivery): Promise<void> => {
    for (let wake = 0; wake < 400; wake += 1) {
      const isMore = await delivery.deliver(caller.tenantId);
      const [due] = await database.admin<{ due: boolean }>(
        `select exists (select from events.parked_keys where retry_at is not null)
           or exists (select from events.tenant_cursors c join events.heads h on h.tick > c.from_tick) as due`,
      );
      if (!isMore && !due?.due) return;
    }
    throw new Error('it does not settle');
  };
  const noted = async (): Promise<Map<string, bigint[]>> => {
    const rows = await database.admin<{ key: string; version: string }>(
      'select key, version from probe.noted order by place',
    );
    return new Map(
      [...Map.groupBy(rows, ({ key }) => key)].map(([key, ofKey]) => [
        key,
        ofKey.map(({ version }) => BigInt(version)),
      ]),
    );
  };
  const upTo = (count: number): bigint[] => Array.from({ length: count }, (_, at) => BigInt(at + 1));
  const parked = (): Promise<unknown[]> =>
    database.admin(
      'select key, state, attempts, event_count::int, last_error, failed_event_id from events.parked_keys order by key',
    );
  const idOf = async (key: string, version: number): Promise<string> => {
    const [row] = await database.admin<{ id: string }>(
      'select id from events.log where stream_id = $1 and stream_version = $2',
      [key, version],
    );
    return row!.id;
  };
  const release = (key: string, isSkipping = false): Promise<unknown> =>
    tenants.transaction(caller, (tx) => releaseParkedKey(tx, 'probe', key, { isSkipping, ...ANN }));

  it('parks only its key among 10,000 events, and drains in order when it is released', async () => {
    await append(100);
    const [bad = ''] = keys.slice(41);
    const key = `probe.key/${bad}`;
    const isPoison = ({ streamId, streamVersion }: RecordedEvent): boolean =>
      streamId === bad && streamVersion === 58n;
    await settle(worker(isPoison));
    expect(await parked()).toEqual([
      {
        key,
        state: 'quarantined',
        attempts: 3,
        event_count: 43,
        last_error: 'Error: poison',
        failed_event_id: await idOf(bad, 58),
      },
    ]);
    const before = await noted();
    expect(before.get(bad)).toEqual(upTo(57));
    for (const other of keys.filter((each) => each !== bad)) expect(before.get(other)).toEqual(upTo(100));

    // What comes later waits behind it, and others pass it.
    await append(3);
    await settle(worker(isPoison));
    expect((await noted()).get(bad)).toEqual(upTo(57));
    expect(await parked()).toMatchObject([{ state: 'quarantined', event_count: 46 }]);

    // Released while the consumer is as it was: quarantined again, at the same event.
    expect(await release(key)).toMatchObject({ eventCount: 46n });
    await settle(worker(isPoison));
    expect(await parked()).toMatchObject([{ state: 'quarantined', attempts: 1, event_count: 46 }]);

    // The consumer is mended; two workers at once, while more is written.
    const mended = [worker(() => false), worker(() => false)];
    await release(key);
    await Promise.all([append(2), ...mended.map((each) => each.deliver(caller.tenantId))]);
    await settle(mended[0]!);
    expect(await parked()).toEqual([]);
    const after = await noted();
    for (const each of keys) expect(after.get(each)).toEqual(upTo(105));
    expect(await database.admin('select from events.parked_events')).toEqual([]);
  }, 120_000);

  it('goes on without the failed event when an operator says so', async () => {
    await append(4, keys.slice(0, 2));
    const [bad = '', other = ''] = keys;
    const isPoison = ({ streamId, streamVersion }: RecordedEvent): boolean =>
      streamId === bad && streamVersion === 2n;
    await settle(worker(isPoison));
    await release(`probe.key/${bad}`, true);
    await settle(worker(isPoison));
    expect(await parked()).toEqual([]);
    expect(await noted()).toEqual(
      new Map([
        [bad, [1n, 3n, 4n]],
        [other, upTo(4)],
      ]),
    );
  });

  it('takes effect once when a worker is killed at any point of parking and draining', async () => {
    await append(5, keys.slice(0, 4));
    const [bad = ''] = keys;
    let isMended = false;
    const isPoison = ({ streamId, streamVersion }: RecordedEvent): boolean =>
      !isMended && streamId === bad && streamVersion === 3n;
    // Every second call of the consumer loses its connection, behind the effect and ahead of the commit.
    let [calls, killed] = [0, 0];
    const dying = new TenantDelivery(
      tenantConsumer(
        async (tx, events) => {
          await effect(tx, events);
          calls += 1;
          if (calls % 2 === 0) killed += await kill();
          if (events.some(isPoison)) throw new Error('poison');
        },
        { retry: RETRY },
      ),
      tenants,
      grants,
      (error) => errors.push(String(error)),
    );
    const kill = async (): Promise<number> =>
      (
        await database.admin(
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and state = 'idle in transaction' and usename = 'holdfast_app'`,
        )
      ).length;
    await settle(dying);
    expect(await parked()).toMatchObject([{ key: `probe.key/${bad}`, state: 'quarantined', event_count: 3 }]);
    isMended = true;
    await release(`probe.key/${bad}`);
    await settle(dying);
    expect(killed).toBeGreaterThan(3);
    const after = await noted();
    for (const key of keys.slice(0, 4)) expect(after.get(key)).toEqual(upTo(5));
  }, 30_000);

  it('lets the cursor wait where more than ten keys of a page fail', async () => {
    await append(1, keys.slice(0, 20));
    await worker(() => true).deliver(caller.tenantId);
    expect(await parked()).toEqual([]);
    expect(await database.admin('select attempts, last_error from events.tenant_cursors')).toEqual([
      { attempts: 1, last_error: 'Error: poison' },
    ]);
    await database.admin('update events.tenant_cursors set retry_at = null');
    await settle(worker(() => false));
    expect((await noted()).size).toBe(20);
  });

  it('takes only what it waited for from a handler that goes on after it has failed', async () => {
    await append(2, keys.slice(0, 1));
    let isMended = false;
    const straying = new TenantDelivery(
      tenantConsumer(
        async (tx, events) => {
          const late = new Promise((resolve) => setTimeout(resolve, 20)).then(() => effect(tx, events));
          late.catch((error: unknown) => errors.push(String(error)));
          if (isMended) await late;
          else throw new Error('poison');
        },
        { retry: { ...RETRY, baseMs: 50, capMs: 100 } },
      ),
      tenants,
      grants,
      () => {},
    );
    await settle(straying);
    expect(errors.length).toBeGreaterThanOrEqual(3);
    expect(errors.every((error) => error.includes('after its transaction had ended'))).toBe(true);
    expect(await noted()).toEqual(new Map());
    isMended = true;
    await release(`probe.key/${keys[0]}`);
    await settle(straying);
    expect(await noted()).toEqual(new Map([[keys[0], upTo(2)]]));
  });

  it('parks no more than 100,000 events of a tenant', async () => {
    await append(2, keys.slice(0, 2));
    const [bad = '', other = ''] = keys;
    const isPoison = ({ streamId }: RecordedEvent): boolean => streamId === bad;
    await settle(worker(isPoison));
    await database.admin('update events.parked_keys set event_count = 99999');
    await append(2, keys.slice(0, 2));
    await worker(isPoison).deliver(caller.tenantId);
    expect(await database.admin('select attempts, last_error from events.tenant_cursors')).toEqual([
      { attempts: 1, last_error: expect.stringContaining('ParkedFull: 100000 events') },
    ]);
    expect((await noted()).get(other)).toEqual(upTo(2));
    // What is parked drains all the same, and then the cursor goes on.
    await database.admin('update events.parked_keys set event_count = 2');
    await release(`probe.key/${bad}`);
    await settle(worker(() => false));
    await database.admin('update events.tenant_cursors set retry_at = null');
    await settle(worker(() => false));
    expect((await noted()).get(bad)).toEqual(upTo(4));
    expect((await noted()).get(other)).toEqual(upTo(4));
  });
});
