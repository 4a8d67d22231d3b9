import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import type { Database } from '@holdfast/database';
import { TestDatabase } from '@holdfast/testing';
import { appendUnderLock, prepareKeys } from '../test/event-writers';
import type { ConsumerGroup } from './consumers';
import { Relay } from './relay';
import { acquireLease, makeTick, relaying } from './ticks.sql';
import { registerGroup } from './groups.sql';
import { lockStoreCursor, updateStoreCursor } from './store-cursors.sql';

/** A group that notes how it was woken. `up` is whether its queue takes anything. */
class NotedGroup implements ConsumerGroup {
  readonly enqueued: string[] = [];
  readonly delivered: string[] = [];
  up = true;

  constructor(
    readonly kind: 'tenant' | 'store',
    private readonly effect: (key: string, stopping: AbortSignal) => Promise<void> = () => Promise.resolve(),
    readonly name = 'noted',
  ) {}

  async enqueue(keys: readonly string[]): Promise<void> {
    if (!this.up) throw new Error('queue is away');
    this.enqueued.push(...keys);
  }

  async deliver(key: string, stopping: AbortSignal): Promise<void> {
    this.delivered.push(key);
    await this.effect(key, stopping);
  }
}

describe('The relay', () => {
  let database: TestDatabase;
  let relay: Database;
  const errors: unknown[] = [];
  const relayTo = (...groups: ConsumerGroup[]): Relay =>
    new Relay({ relay, groups, isLeading: () => true, report: (error) => errors.push(error) });
  /** As a worker does with what it has declared. */
  const register = async (...groups: NotedGroup[]): Promise<void> => {
    for (const { name, kind } of groups)
      await registerGroup(relay, { group: name, kind, replay: 'never', from: 'beginning' });
  };
  const tick = async (tenantCount: number): Promise<readonly string[]> => {
    const tenantIds = Array.from({ length: tenantCount }, () => newId());
    for (const tenantId of tenantIds) {
      const key = newId();
      await prepareKeys(database, tenantId, [key]);
      await database
        .tenants(1)
        .transaction(await database.caller(tenantId), (tx) => appendUnderLock(tx, [key]));
    }
    const fence = (await acquireLease(relay, 'relay', 60_000)) ?? 1n;
    return (await makeTick(relay, { holder: 'relay', fence, leaseMs: 60_000 }))?.tenantIds ?? [];
  };

  beforeEach(async () => {
    database = await TestDatabase.create();
    relay = database.as('holdfast_relay');
    errors.length = 0;
  });
  afterEach(() => database.drop());

  it('wakes the tenants of a tick, and the store', async () => {
    const tenantIds = await tick(3);
    expect(tenantIds).toHaveLength(3);
    const [tenantGroup, store] = [new NotedGroup('tenant'), new NotedGroup('store')];
    for (const group of [tenantGroup, store]) {
      const made = relayTo(group);
      made.accept({ tenantIds });
      await made.stop();
    }
    expect(tenantGroup.enqueued.toSorted()).toEqual(tenantIds.toSorted());
    expect(store.enqueued).toEqual(['noted']);
  });

  it('finds again what a flushed queue has forgotten, except tenants that wait for a retry', async () => {
    const [first = '', second = '', third = ''] = await tick(3);
    const cursor = `insert into events.tenant_cursors (tenant_id, group_name, from_tick, retry_at) values ($1, 'noted', $2, $3)`;
    await database.admin(cursor, [first, 1, null]); // At the head.
    await database.admin(cursor, [second, 0, new Date(Date.now() + 60_000)]);
    const group = new NotedGroup('tenant');
    await register(group);
    const made = relayTo(group);
    await made.sweep();
    await made.stop();
    expect(group.enqueued).toEqual([third]);
  });

  it('delivers in process what has not moved for 2 s although it was woken', async () => {
    await tick(1);
    const group = new NotedGroup('store', () =>
      relaying(relay, async (tx) => {
        await lockStoreCursor(tx, 'noted');
        await updateStoreCursor(tx, 'noted', { fromTick: 1n, toTick: null, afterSeq: 0n, throughSeq: null });
      }),
    );
    await register(group);
    const made = relayTo(group);
    made.start();
    await sleep(4_500);
    await made.stop();
    expect(group.enqueued.length).toBeGreaterThanOrEqual(2);
    expect(group.delivered).toEqual(['noted']);
  }, 15_000);

  // Guards «nobody stalls others»: a group that takes 8 s for a key costs neither sweeps nor other groups' deliveries.
  it('sweeps on for a healthy group while a slow one is delivered to in process', async () => {
    const tenantIds = await tick(5);
    const untilStopped = (_key: string, stopping: AbortSignal): Promise<void> =>
      sleep(60_000, undefined, { signal: stopping }).catch(() => {}); // Stopped.
    const slow = new NotedGroup('tenant', untilStopped, 'slow');
    const healthy = new NotedGroup('tenant', undefined, 'healthy');
    await register(slow, healthy);
    const made = relayTo(slow, healthy);
    made.start();
    await sleep(4_500);
    const sweepsSeen = healthy.enqueued.length;
    const [late = ''] = await tick(1);
    await sleep(2_500);
    await made.stop();
    // Three lanes are taken, and no key by two of them.
    expect(slow.delivered).toHaveLength(3);
    expect(new Set(slow.delivered).size).toBe(3);
    expect(sweepsSeen).toBeGreaterThanOrEqual(2 * tenantIds.length);
    expect(healthy.delivered).toEqual(expect.arrayContaining([...tenantIds]));
    expect(healthy.enqueued.filter((key) => key === late).length).toBeGreaterThanOrEqual(1);
    expect(errors).toEqual([]);
  }, 20_000);

  it('delivers in process as soon as the queue has been away for 2 s, and goes back to it', async () => {
    const group = new NotedGroup('store');
    const made = relayTo(group);
    group.up = false;
    made.accept({ tenantIds: [] });
    await sleep(2_100);
    expect(group.delivered).toEqual([]);
    made.accept({ tenantIds: [] });
    await sleep(10);
    expect(group.delivered).toEqual(['noted']);
    group.up = true;
    made.accept({ tenantIds: [] });
    await made.stop();
    expect([group.delivered.length, group.enqueued.length]).toEqual([1, 1]);
  }, 15_000);
});
