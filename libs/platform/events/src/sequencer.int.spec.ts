import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import { type Database, statement } from '@holdfast/database';
import { TestDatabase } from '@holdfast/testing';
import { appendUnderLock, prepareKeys } from '../test/event-writers';
import { Sequencer } from './sequencer';
import { acquireLease, LeaseLost, makeTick, relaying, thinTicks, type Tick } from './ticks.sql';

const TAKE = statement(
  'test.take_lease',
  "update events.leases set holder = 'next', fence = fence + 1 where name = 'sequencer'",
);

describe('The sequencer', () => {
  let database: TestDatabase;
  let relay: Database;
  const opened: Sequencer[] = [];
  const errors: unknown[] = [];
  const ticks: Tick[] = [];

  const sequencer = (leaseMs: number): Sequencer => {
    const made = new Sequencer({
      relay,
      leaseMs,
      onTick: (tick) => ticks.push(tick),
      report: (error) => errors.push(error),
    });
    opened.push(made);
    made.start();
    return made;
  };
  const append = async (tenantId = newId()): Promise<string> => {
    const caller = await database.caller(tenantId);
    const key = newId();
    await prepareKeys(database, tenantId, [key]);
    await database.tenants(1).transaction(caller, (tx) => appendUnderLock(tx, [key]));
    return tenantId;
  };
  const until = async (condition: () => boolean): Promise<void> => {
    for (let look = 0; look < 1_000 && !condition(); look += 1) await sleep(10);
    expect(condition()).toBe(true);
  };

  beforeEach(async () => {
    database = await TestDatabase.create();
    relay = database.as('holdfast_relay', 8);
    ticks.length = 0;
    errors.length = 0;
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.stop()));
    await database.drop();
  });

  it('refuses the tick of a holder who slept while another took the lease', async () => {
    const paused = { holder: 'paused', fence: (await acquireLease(relay, 'paused', 500)) ?? 0n, leaseMs: 50 };
    expect(await acquireLease(relay, 'second', 5_000)).toBeUndefined();
    await sleep(600);
    const fence = await acquireLease(relay, 'second', 5_000);
    expect(fence).toBe(paused.fence + 1n);
    await append();
    await expect(makeTick(relay, paused)).rejects.toThrow(LeaseLost);
    // The same holder, back with its old fence, is refused as well: the fence counts, not the name.
    await expect(makeTick(relay, { holder: 'second', fence: paused.fence, leaseMs: 50 })).rejects.toThrow(
      LeaseLost,
    );
    expect(await makeTick(relay, { holder: 'second', fence: fence ?? 0n, leaseMs: 5_000 })).toMatchObject({
      id: 1n,
      eventCount: 1n,
    });
  });

  it('refuses a holder whose tick waited for the lease row behind its successor', async () => {
    const paused = { holder: 'paused', fence: (await acquireLease(relay, 'paused', 1)) ?? 0n, leaseMs: 1 };
    await append();
    const late = await relaying(relay, async (tx) => {
      await tx.execute(TAKE); // The successor holds the row and has not committed.
      const tick = makeTick(relay, paused).catch((error: unknown) => error);
      expect(await Promise.race([tick, sleep(150)])).toBeUndefined();
      return { tick };
    });
    expect(await late.tick).toBeInstanceOf(LeaseLost);
    expect(await database.admin('select id from events.ticks')).toHaveLength(1);
  });

  it('stores no tick while nothing happens, and names the tenants of one that holds events', async () => {
    sequencer(3_000);
    await sleep(300);
    expect(await database.admin('select id from events.ticks')).toHaveLength(1);
    const tenantId = await append();
    await until(() => ticks.length > 0);
    expect(ticks[0]).toMatchObject({ id: 1n, eventCount: 1n, tenantIds: [tenantId] });
    expect(await database.admin('select tick from events.heads where tenant_id = $1', [tenantId])).toEqual([
      { tick: '1' },
    ]);
  });

  it('is taken over at once when the leader stops, and behind its lease when it dies', async () => {
    // Longer than is waited for here: a leader that stops gives its lease back.
    const first = sequencer(60_000);
    await until(() => first.isLeading);
    const second = sequencer(3_000);
    await first.stop();
    await until(() => second.isLeading);
    await append();
    await until(() => ticks.length === 1);

    // A leader that died renews nothing more: its lease stands in the table until it expires.
    await second.stop();
    await acquireLease(relay, 'dead', 3_000);
    const third = sequencer(3_000);
    await until(() => third.isLeading);
    expect(errors).toEqual([]);
  });

  it('thins ticks that nobody names, and keeps one of each hour, and of each second before a store', async () => {
    const lease = {
      holder: 'thin',
      fence: (await acquireLease(relay, 'thin', 60_000)) ?? 0n,
      leaseMs: 60_000,
    };
    const [first] = await database.admin<{ at: Date }>(
      `select date_trunc('hour', now()) - interval '5 hours' as at`,
    );
    for (let i = 0; i < 12; i += 1) {
      await append();
      await makeTick(relay, lease);
    }
    const left = async (): Promise<number[]> =>
      (await database.admin<{ id: string }>('select id from events.ticks order by id')).map(({ id }) =>
        Number(id),
      );
    await thinTicks(relay);
    expect(await left()).toHaveLength(13); // All were the newest within the last minute.
    // Ticks 1 to 5 in one hour; 6 to 12 in the next, by half seconds.
    await database.admin(
      `update events.ticks set created_at = case when id < 6 then $1::timestamptz + id * interval '1 minute'
         else $1::timestamptz + interval '1 hour' + (id - 6) * interval '0.5 seconds' end
       where id > 0`,
      [first?.at],
    );
    await database.admin(
      `insert into events.groups (name, kind, replay, from_tick) values ('store', 'store', 'never', 0), ('g', 'tenant', 'never', 4)`,
    );
    await database.admin(
      `insert into events.store_cursors (group_name, from_tick, to_tick) values ('store', 8, 11)`,
    );
    await database.admin(
      `insert into events.tenant_cursors (tenant_id, group_name, from_tick) values ($1, 'g', 2)`,
      [newId()],
    );
    await thinTicks(relay);
    // 0 always; 1 and 6 begin an hour; 2, 4, 8 and 11 are named; 9 begins what is left of a second and 10 and 12 begin one
    // before the store; 12 is the newest besides. 3, 5 and 7 are nobody's.
    expect(await left()).toEqual([0, 1, 2, 4, 6, 8, 9, 10, 11, 12]);
  });

  it('thins thousands of ticks beside thousands of cursors within its time', async () => {
    await database.admin(
      `insert into events.ticks (id, snapshot, event_count, wal_lsn, fence, created_at)
       select g, '10:10:', 1, '0/0', 1, date_trunc('hour', now()) - interval '2 hours' + g * interval '10 ms' from generate_series(1, 20000) g`,
    );
    await database.admin(
      `insert into events.tenant_cursors (tenant_id, group_name, from_tick)
       select gen_random_uuid(), 'g', g * 2 from generate_series(1, 9000) g`,
    );
    expect(await thinTicks(relay)).toBe(5_000);
    expect(await thinTicks(relay)).toBe(5_000);
    await thinTicks(relay);
    // The named ones, the newest, the one at the beginning of the hour, and tick 0.
    expect(await database.admin('select count(*)::int as left from events.ticks')).toEqual([{ left: 9_003 }]);
  });
});
