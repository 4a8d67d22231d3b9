import { setTimeout as sleep } from 'node:timers/promises';
import { JOB_TRANSACTION_MS, newId } from '@holdfast/kernel';
import { type Database, statement } from '@holdfast/database';
import { Grants, type TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { tenantConsumer } from '../test/consumers';
import { appendUnderLock, prepareKeys } from '../test/event-writers';
import type { RecordedEvent } from './recorded-event';
import { declarationOf, type TenantConsumer } from './consumer';
import { registerGroup } from './groups.sql';
import { TenantDelivery } from './tenant-delivery';
import { acquireLease, makeTick } from './ticks.sql';

const COUNT = statement(
  'test.count_effect',
  'insert into probe.effects (tenant_id, event_id) select $1, unnest($2::uuid[])',
);

describe('Delivery to a tenant group', () => {
  let database: TestDatabase;
  let relay: Database;
  let tenants: TenantDatabase;
  let grants: Grants;
  let lease: { holder: string; fence: bigint; leaseMs: number };
  const errors: string[] = [];
  const report = (error: unknown): void => void errors.push(String(error));

  beforeEach(async () => {
    database = await TestDatabase.create();
    relay = database.as('holdfast_relay');
    tenants = database.tenants(8);
    grants = new Grants(database.as('holdfast_auth', 2));
    lease = { holder: 'test', fence: (await acquireLease(relay, 'test', 60_000)) ?? 0n, leaseMs: 60_000 };
    await prepareKeys(database, newId(), [newId()]);
    // No unique constraint: an effect that happens twice shows.
    await database.admin(
      'create table probe.effects (tenant_id uuid, event_id uuid, at timestamptz default clock_timestamp())',
    );
    await database.admin('grant select, insert on probe.effects to holdfast_app');
    await registerGroup(relay, declarationOf(tenantConsumer()));
    errors.length = 0;
  });
  afterEach(() => database.drop());

  /** A tenant with so many events on one key. */
  const tenantWith = async (count: number): Promise<string> => {
    const [tenantId, key] = [newId(), newId()];
    await prepareKeys(database, tenantId, [key]);
    const caller = await database.caller(tenantId);
    for (let i = 0; i < count; i += 1) {
      await tenants.transaction(caller, (tx) => appendUnderLock(tx, [key]));
      if (i % 7 === 0) await makeTick(relay, lease);
    }
    await makeTick(relay, lease);
    return tenantId;
  };
  const effectsOf = async (tenantId: string): Promise<{ all: number; distinct: number }> => {
    const [row] = await database.admin<{ all: number; distinct: number }>(
      'select count(*)::int as all, count(distinct event_id)::int as distinct from probe.effects where tenant_id = $1',
      [tenantId],
    );
    return row ?? { all: -1, distinct: -1 };
  };
  const effect = async (tx: TenantTx, events: readonly RecordedEvent[]): Promise<void> => {
    await tx.execute(COUNT, [tx.tenantId, events.map(({ id }) => id)]);
  };
  const deliveryTo = (group: TenantConsumer): TenantDelivery =>
    new TenantDelivery(
      tenantConsumer((tx, events) => group.deliver(tx, events)),
      tenants,
      grants,
      report,
    );

  it('has a deadline for each page, before PostgreSQL ends its transaction', async () => {
    const tenantId = await tenantWith(10);
    const leftMs: (number | undefined)[] = [];
    const deliver = async (tx: TenantTx, events: readonly RecordedEvent[]): Promise<void> => {
      leftMs.push(tx.caller.deadline?.leftMs);
      await effect(tx, events);
    };
    await deliveryTo({ ...tenantConsumer(), deliver }).deliver(tenantId);
    expect((await effectsOf(tenantId)).all).toBe(10);
    for (const left of leftMs) expect(left).toBeGreaterThan(0);
    for (const left of leftMs) expect(left).toBeLessThanOrEqual(JOB_TRANSACTION_MS);
  });

  it('takes effect once and in order under two workers at a time', async () => {
    const tenantId = await tenantWith(450);
    const seqs: bigint[] = [];
    const group = {
      deliver: async (tx: TenantTx, events: readonly RecordedEvent[]): Promise<void> => {
        await effect(tx, events);
        seqs.push(...events.map(({ seq }) => seq));
        await sleep(20);
      },
    };
    await Promise.all([0, 1, 2, 3].map(() => deliveryTo(group).deliver(tenantId)));
    while (await deliveryTo(group).deliver(tenantId));
    expect(await effectsOf(tenantId)).toEqual({ all: 450, distinct: 450 });
    expect(seqs).toEqual(seqs.toSorted((a, b) => Number(a - b)));
    expect(errors).toEqual([]);
  });

  it('takes effect once when the worker dies after the effect and before the commit', async () => {
    const tenantId = await tenantWith(10);
    let deaths = 0;
    const dying = {
      deliver: async (tx: TenantTx, events: readonly RecordedEvent[]): Promise<void> => {
        await effect(tx, events);
        const killed = await database.admin(
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and state = 'idle in transaction' and usename = 'holdfast_app'`,
        );
        deaths += killed.length;
      },
    };
    await deliveryTo(dying).deliver(tenantId);
    expect(deaths).toBe(1);
    expect(await effectsOf(tenantId)).toEqual({ all: 0, distinct: 0 });
    await database.admin('update events.tenant_cursors set retry_at = null');
    await deliveryTo({ deliver: effect }).deliver(tenantId);
    expect(await effectsOf(tenantId)).toEqual({ all: 10, distinct: 10 });
  });

  it('parks the key that fails, without keeping the others', async () => {
    const [poisoned, sound] = [await tenantWith(5), await tenantWith(5)];
    const group = {
      deliver: async (tx: TenantTx, events: readonly RecordedEvent[]): Promise<void> => {
        if (tx.tenantId === poisoned && events.some(({ streamVersion }) => streamVersion === 4n))
          throw new Error('poison');
        await effect(tx, events);
      },
    };
    const delivery = deliveryTo(group);
    await Promise.all([delivery.deliver(poisoned), delivery.deliver(sound)]);
    expect(await effectsOf(sound)).toEqual({ all: 5, distinct: 5 });
    expect(await effectsOf(poisoned)).toEqual({ all: 0, distinct: 0 });
    // Once with the page and once alone.
    expect(errors).toEqual(['Error: poison', 'Error: poison']);
    const parked = (): Promise<unknown[]> =>
      database.admin('select tenant_id, state, attempts, last_error from events.parked_keys');
    const key = { tenant_id: poisoned, state: 'retrying', last_error: 'Error: poison' };
    expect(await parked()).toEqual([{ ...key, attempts: 1 }]);
    // The events before the poison get through at the first retry.
    await database.admin('update events.parked_keys set retry_at = clock_timestamp()');
    for (let isMore = true; isMore;) isMore = await delivery.deliver(poisoned);
    expect(await effectsOf(poisoned)).toEqual({ all: 3, distinct: 3 });
    // The wait is random: it may have been tried twice.
    expect(await parked()).toEqual([{ ...key, attempts: expect.any(Number) }]);
  });

  it('goes to the back of the queue after a slice, and is called again', async () => {
    const tenantId = await tenantWith(1_000);
    const slow = deliveryTo({
      deliver: async (tx, events) => {
        await effect(tx, events);
        await sleep(60);
      },
    });
    expect(await slow.deliver(tenantId)).toBe(true);
    // Two pages of 60 ms, of the five that the backlog has.
    expect((await effectsOf(tenantId)).all).toBeLessThanOrEqual(600);
    for (let wakes = 0; await slow.deliver(tenantId); wakes += 1) expect(wakes).toBeLessThan(20);
    expect(await effectsOf(tenantId)).toEqual({ all: 1_000, distinct: 1_000 });
  }, 30_000);

  it('ends after the page under way when it is told to stop', async () => {
    const tenantId = await tenantWith(450);
    const stopping = new AbortController();
    const group = {
      deliver: async (tx: TenantTx, events: readonly RecordedEvent[]): Promise<void> => {
        stopping.abort();
        await effect(tx, events);
      },
    };
    await deliveryTo(group).deliver(tenantId, stopping.signal);
    expect(await effectsOf(tenantId)).toEqual({ all: 200, distinct: 200 });
    await deliveryTo({ deliver: effect }).deliver(tenantId);
    expect(await effectsOf(tenantId)).toEqual({ all: 450, distinct: 450 });
  });

  it('gives up a group that hangs, and tries again', async () => {
    const tenantId = await tenantWith(1);
    await deliveryTo({ deliver: () => new Promise(() => {}) }).deliver(tenantId);
    // With the page, and alone.
    const late = 'DeadlineExceeded: not finished after 8000 ms';
    expect(errors).toEqual([late, late]);
    await database.admin('update events.parked_keys set retry_at = clock_timestamp()');
    await deliveryTo({ deliver: effect }).deliver(tenantId);
    expect(await effectsOf(tenantId)).toEqual({ all: 1, distinct: 1 });
  }, 30_000);
});
