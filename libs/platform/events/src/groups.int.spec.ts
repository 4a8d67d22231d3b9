import { type Database, statement, SystemTx } from '@holdfast/database';
import { type Caller, newId } from '@holdfast/kernel';
import { Grants, type TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { storeConsumer, tenantConsumer } from '../test/consumers';
import { appendUnderLock, prepareKeys } from '../test/event-writers';
import { BatchRefused } from './batch-refused';
import { type ConsumerDeclaration, declarationOf, type StoreConsumer, type TenantConsumer } from './consumer';
import { GroupKindChanged, registerGroup } from './groups.sql';
import { measureLags } from './lag.sql';
import { listLagging } from './lagging.sql';
import {
  findReplayStart,
  listGroupActions,
  listGroups,
  pauseGroup,
  replayGroup,
  resumeGroup,
} from './operator-groups.sql';
import { OperatedGroups } from './operated-groups';
import { ActedOtherwise } from './operated-groups.errors';
import type { RecordedEvent } from './recorded-event';
import { StoreDelivery } from './store-delivery';
import { askTenantToRewind } from './tenant-cursors.sql';
import { TenantDelivery } from './tenant-delivery';
import { acquireLease, makeTick, relaying } from './ticks.sql';

const EFFECT = statement(
  'test.count_up',
  'insert into probe.counted (tenant_id, event_id) select $1, unnest($2::uuid[])',
);
const CLEAR = statement('test.clear_count', 'delete from probe.counted where tenant_id = $1');
const RETRY = { attemptsMax: 1, baseMs: 1, capMs: 4 };
const ANN = { actor: 'operator:ann', reason: 'to see what happens' };

// Operators may stop a group, let it go on and take it back, and no event is lost or skipped by it.
describe('A group in the hands of operators', () => {
  let database: TestDatabase;
  let relay: Database;
  let ops: Database;
  let tenants: TenantDatabase;
  let grants: Grants;
  let lease: { holder: string; fence: bigint; leaseMs: number };
  const errors: string[] = [];
  const report = (error: unknown): void => void errors.push(String(error));

  beforeEach(async () => {
    database = await TestDatabase.create();
    relay = database.as('holdfast_relay');
    ops = database.as('holdfast_ops');
    tenants = database.tenants(8);
    grants = new Grants(database.as('holdfast_auth', 2));
    lease = { holder: 'test', fence: (await acquireLease(relay, 'test', 60_000)) ?? 0n, leaseMs: 60_000 };
    await database.admin('create schema if not exists probe');
    await database.admin('create table probe.counted (tenant_id uuid, event_id uuid)');
    await database.admin('grant usage on schema probe to holdfast_app');
    await database.admin('grant select, insert, delete on probe.counted to holdfast_app');
    errors.length = 0;
  });
  afterEach(() => database.drop());

  const inOps = <T>(work: (tx: SystemTx) => Promise<T>): Promise<T> =>
    ops.transaction((connection) => new SystemTx(connection), work);
  const register = (consumer: TenantConsumer | StoreConsumer): Promise<void> =>
    registerGroup(relay, declarationOf(consumer));
  /** A tenant with so many events, each of which has a tick of its own. */
  const tenantWith = async (count: number): Promise<Caller> => {
    const caller = await database.caller(newId());
    await prepareKeys(database, caller.tenantId, [caller.tenantId]);
    for (let n = 0; n < count; n += 1) await append(caller);
    return caller;
  };
  const append = async (caller: Caller): Promise<void> => {
    await tenants.transaction(caller, (tx) => appendUnderLock(tx, [caller.tenantId]));
    await makeTick(relay, lease);
  };
  const counting = (
    declared: Partial<Omit<ConsumerDeclaration, 'retry'>> = {},
    isPoison: (event: RecordedEvent) => boolean = () => false,
  ): TenantConsumer =>
    tenantConsumer(
      async (tx, events) => {
        if (events.some(isPoison)) throw new Error('poison');
        await tx.execute(EFFECT, [tx.tenantId, events.map(({ id }) => id)]);
      },
      { retry: RETRY, ...declared },
      async (tx: TenantTx) => void (await tx.execute(CLEAR, [tx.tenantId])),
    );
  const delivery = (consumer: TenantConsumer): TenantDelivery =>
    new TenantDelivery(consumer, tenants, grants, report);
  const settle = async (consumer: TenantConsumer, ...callers: Caller[]): Promise<void> => {
    const made = delivery(consumer);
    for (const { tenantId } of callers) while (await made.deliver(tenantId)) expect(errors).toEqual([]);
  };
  /** How often each of the tenant's events took effect, in the order of the log. */
  const times = async ({ tenantId }: Caller): Promise<number[]> => {
    const rows = await database.admin<{ times: number }>(
      `select count(c.event_id)::int as times from events.log e left join probe.counted c on c.event_id = e.id
       where e.tenant_id = $1 group by e.seq order by e.seq`,
      [tenantId],
    );
    return rows.map((row) => row.times);
  };
  const lagging = (): Promise<string[]> =>
    relaying(relay, async (tx) =>
      (await listLagging(tx, { name: 'probe', kind: 'tenant' }, 100)).map(({ key }) => key),
    );

  it('begins from now with what commits after its registration, in whichever tenant', async () => {
    const [old, quiet] = [await tenantWith(2), await tenantWith(1)];
    const consumer = counting({ from: 'now' });
    await register(consumer);
    await append(old);
    const late = await tenantWith(1);
    await register(consumer); // Another worker starts: the beginning stays where it was.
    expect((await lagging()).toSorted()).toEqual([old.tenantId, late.tenantId].toSorted());
    await settle(consumer, old, quiet, late);
    expect([await times(old), await times(quiet), await times(late)]).toEqual([[0, 0, 1], [0], [1]]);
    await expect(registerGroup(relay, { ...declarationOf(consumer), kind: 'store' })).rejects.toThrow(
      GroupKindChanged,
    );
  });

  it('does nothing while it is paused, and goes on where it stood', async () => {
    const caller = await tenantWith(3);
    const consumer = counting();
    await register(consumer);
    expect(await inOps((tx) => pauseGroup(tx, 'probe', ANN, ''))).toBe(true);
    expect(await inOps((tx) => pauseGroup(tx, 'probe', ANN, ''))).toBe(false);
    await settle(consumer, caller);
    expect([await times(caller), await lagging()]).toEqual([[0, 0, 0], []]);
    await measureLags(relay, [{ name: 'probe' }]);
    expect(await inOps((tx) => listGroups(tx))).toMatchObject([
      {
        group: 'probe',
        pausedBy: 'operator:ann',
        pausedReason: ANN.reason,
        laggingKeys: 1n,
        laggingEvents: 3n,
      },
    ]);
    expect(await inOps((tx) => resumeGroup(tx, 'probe', ANN, ''))).toBe(true);
    expect(await lagging()).toEqual([caller.tenantId]);
    await settle(consumer, caller);
    expect(await times(caller)).toEqual([1, 1, 1]);
    await measureLags(relay, [{ name: 'probe' }]);
    expect(await inOps((tx) => listGroups(tx, 'probe'))).toMatchObject([
      { pausedAt: null, laggingEvents: 0n, lagSeconds: 0 },
    ]);
    const actions = await inOps((tx) => listGroupActions(tx, 'probe', 10));
    // The second pause changed nothing, and was asked for all the same.
    expect(actions.map(({ action, actedBy, reason }) => [action, actedBy, reason])).toEqual(
      ['resume', 'pause', 'pause'].map((action) => [action, ANN.actor, ANN.reason]),
    );
  });

  it('pauses a store, with the batch that was recorded as it is', async () => {
    await tenantWith(4);
    const taken: string[][] = [];
    let answers = false;
    const consumer = storeConsumer(
      async (events) => {
        taken.push(events.map(({ id }) => id));
        if (!answers) throw new Error('no answer');
      },
      { batchMax: 3, retry: RETRY },
    );
    await register(consumer);
    const store = new StoreDelivery(consumer, relay, report);
    await store.deliver();
    await inOps((tx) => pauseGroup(tx, 'store', ANN, ''));
    await database.admin('update events.store_cursors set retry_at = null');
    await store.deliver();
    expect(taken).toHaveLength(1);
    answers = true;
    await inOps((tx) => resumeGroup(tx, 'store', ANN, ''));
    await store.deliver();
    expect(taken[1]).toEqual(taken[0]);
    expect(taken.slice(1).flat()).toHaveLength(4);
  });

  it('is replayed from a position and from a time, for all tenants or for one', async () => {
    const [one, other] = [await tenantWith(4), await tenantWith(2)];
    const consumer = counting();
    await register(consumer);
    await settle(consumer, one, other);
    // Ticks 1 to 4 hold the events of the first, one each.
    expect(await inOps((tx) => findReplayStart(tx, { tick: 2n }))).toMatchObject({ tick: 2n });
    expect(await inOps((tx) => replayGroup(tx, 'probe', 2n, ANN, ''))).toBe(true);
    expect((await lagging()).toSorted()).toEqual([one.tenantId, other.tenantId].toSorted());
    // A second replay from further ahead comes before anybody has gone back for the first: the first holds.
    expect(await inOps((tx) => replayGroup(tx, 'probe', 5n, ANN, ''))).toBe(true);
    await settle(consumer, one, other);
    expect([await times(one), await times(other)]).toEqual([
      [1, 1, 2, 2],
      [2, 2],
    ]);
    expect(await lagging()).toEqual([]);

    const [{ at } = { at: new Date(0) }] = await database.admin<{ at: Date }>(
      // A Date ends at milliseconds.
      `select date_trunc('milliseconds', created_at) + interval '1 ms' as at from events.ticks where id = 3`,
    );
    const start = await inOps((tx) => findReplayStart(tx, { at }));
    expect(start.tick).toBe(3n);
    expect(await inOps((tx) => findReplayStart(tx, { at: new Date('2000-01-01') }))).toEqual({
      tick: 0n,
      madeAt: null,
    });
    expect(await tenants.transaction(one, (tx) => askTenantToRewind(tx, 'probe', start.tick))).toBe(true);
    expect(await tenants.transaction(one, (tx) => askTenantToRewind(tx, 'nobody', 0n))).toBe(false);
    expect(await lagging()).toEqual([one.tenantId]);
    await settle(consumer, one, other);
    expect([await times(one), await times(other)]).toEqual([
      [1, 1, 2, 3],
      [2, 2],
    ]);
  });

  it('is replayed once by requests with one key at once, and refuses the key for another', async () => {
    await register(counting());
    const groups = new OperatedGroups(database.as('holdfast_ops', 10));
    const requests = Array.from({ length: 10 }, () => ({ key: 'k', replayed: false }));
    const starts = await Promise.all(
      requests.map((request) => groups.replay('probe', 'beginning', { ...ANN, request })),
    );
    expect(new Set(starts.map(({ tick }) => tick))).toEqual(new Set([0n]));
    expect(requests.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(await database.admin('select generation from events.groups')).toEqual([{ generation: 1 }]);
    const request = { key: 'k', replayed: false };
    await expect(groups.replay('probe', { tick: 900n }, { ...ANN, request })).rejects.toThrow(ActedOtherwise);
  });

  it('is replayed from nothing where it declares a reset, and only from the beginning', async () => {
    const caller = await tenantWith(5);
    const consumer = counting({ replay: 'reset' });
    await register(consumer);
    await settle(consumer, caller);
    expect(await inOps((tx) => replayGroup(tx, 'probe', 2n, ANN, ''))).toBe(false);
    expect(await inOps((tx) => replayGroup(tx, 'probe', 0n, ANN, ''))).toBe(true);
    // Two workers at once, and one that dies behind the reset: it is undone with the rewind.
    let died = 0;
    const dying = tenantConsumer(undefined, { replay: 'reset' }, async (tx) => {
      await tx.execute(CLEAR, [tx.tenantId]);
      died += 1;
      throw new Error('died');
    });
    await delivery(dying).deliver(caller.tenantId);
    expect([died > 0, await times(caller)]).toEqual([true, [1, 1, 1, 1, 1]]);
    await database.admin('update events.tenant_cursors set retry_at = null');
    errors.length = 0;
    await Promise.all([0, 1, 2].map(() => delivery(consumer).deliver(caller.tenantId)));
    await settle(consumer, caller);
    expect(await times(caller)).toEqual([1, 1, 1, 1, 1]);
  });

  it('is never replayed where it declares that', async () => {
    const caller = await tenantWith(2);
    const consumer = counting({ replay: 'never' });
    await register(consumer);
    await settle(consumer, caller);
    expect(await inOps((tx) => replayGroup(tx, 'probe', 0n, ANN, ''))).toBe(false);
    // Not even where it was asked for when the group's code still allowed it.
    await tenants.transaction(caller, (tx) => askTenantToRewind(tx, 'probe', 0n));
    await settle(consumer, caller);
    expect([await times(caller), await lagging()]).toEqual([[1, 1], []]);
  });

  it('gets parked events of the replay out of the log, and keeps those before it', async () => {
    const [early, late] = [await tenantWith(3), await tenantWith(3)];
    const isPoison = ({ streamVersion }: RecordedEvent): boolean => streamVersion === 2n;
    const consumer = counting({}, isPoison);
    await register(consumer);
    for (const { tenantId } of [early, late])
      for (let wake = 0; wake < 3; wake += 1) await delivery(consumer).deliver(tenantId);
    const parked = (): Promise<unknown[]> =>
      database.admin('select tenant_id, event_count::int from events.parked_keys order by tenant_id');
    expect((await parked()).length).toBe(2);
    // Behind tick 3 stand only events of the second tenant, and all of them.
    await inOps((tx) => replayGroup(tx, 'probe', 3n, ANN, ''));
    const mended = counting();
    errors.length = 0;
    await settle(mended, early, late);
    expect(await parked()).toMatchObject([{ tenant_id: early.tenantId }]);
    expect((await times(late)).every((count) => count >= 1)).toBe(true);
    expect((await times(early)).slice(1)).toEqual([0, 0]);
  });

  it('heals where a replay names a tick that is thinned at the same moment', async () => {
    const caller = await tenantWith(4);
    const consumer = counting();
    await register(consumer);
    await settle(consumer, caller);
    await database.admin('update events.tenant_cursors set from_tick = 2');
    await database.admin('delete from events.ticks where id = 2');
    await delivery(consumer).deliver(caller.tenantId);
    expect(errors).toEqual([expect.stringContaining('tick 2 or 4 is gone')]);
    errors.length = 0;
    await settle(consumer, caller);
    expect(await times(caller)).toEqual([1, 2, 2, 2]);
  });

  // A store that has lost its rows may still remember the tokens of its batches.
  it('gives a store that is replayed its batches under other tokens', async () => {
    await tenantWith(4);
    const sent: { readonly ids: readonly string[]; readonly token: string }[] = [];
    const consumer = storeConsumer(async (events, token) => {
      sent.push({ ids: events.map(({ id }) => id), token });
    });
    await register(consumer);
    const store = new StoreDelivery(consumer, relay, report);
    await store.deliver();
    await inOps((tx) => replayGroup(tx, 'store', 0n, ANN, ''));
    await store.deliver();
    const [first, second] = sent;
    expect(sent).toHaveLength(2);
    expect(second?.ids).toEqual(first?.ids);
    expect(second?.token).not.toBe(first?.token);
  });

  it('replays a store of all tenants, with what it has parked', async () => {
    await tenantWith(3);
    await tenantWith(3);
    const stored: string[] = [];
    let isPoison = ({ streamVersion }: RecordedEvent): boolean => streamVersion === 3n;
    const consumer = storeConsumer(
      async (events) => {
        if (events.some(isPoison)) throw new BatchRefused('poison');
        stored.push(...events.map(({ id }) => id));
      },
      { batchMax: 10, retry: RETRY },
    );
    await register(consumer);
    const store = new StoreDelivery(consumer, relay, report);
    await store.deliver();
    expect(await database.admin('select from events.parked_keys')).toHaveLength(2);
    expect(stored).toHaveLength(4);
    isPoison = () => false;
    await inOps((tx) => replayGroup(tx, 'store', 0n, ANN, ''));
    await store.deliver();
    expect(await database.admin('select from events.parked_keys')).toEqual([]);
    const logged = await database.admin<{ id: string }>('select id from events.log order by seq');
    expect(stored.slice(4)).toEqual(logged.map(({ id }) => id));
  });
});
