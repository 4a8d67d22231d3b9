import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import type { Database } from '@holdfast/database';
import { TestDatabase } from '@holdfast/testing';
import { appendUnderLock, prepareKeys } from '../test/event-writers';
import type { ConsumerGroup } from './consumers';
import { Relay } from './relay';
import { acquireLease, makeTick } from './ticks.sql';
import { registerGroup } from './groups.sql';

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

  async deliver(key: string, stopping: AbortSignal): Promise<boolean> {
    this.delivered.push(key);
    await this.effect(key, stopping);
    return false;
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

  it('delivers to the tenants of a tick, and to the store', async () => {
    const tenantIds = await tick(3);
    expect(tenantIds).toHaveLength(3);
    const [tenantGroup, store] = [new NotedGroup('tenant'), new NotedGroup('store')];
    for (const group of [tenantGroup, store]) {
      const made = relayTo(group);
      made.accept({ tenantIds });
      await made.stop();
    }
    expect(tenantGroup.delivered.toSorted()).toEqual(tenantIds.toSorted());
    expect(store.delivered).toEqual(['noted']);
  });

  it('delivers once more what was woken while it was being delivered', async () => {
    const { promise: first, resolve: end } = Promise.withResolvers<void>();
    const group: NotedGroup = new NotedGroup('store', () =>
      group.delivered.length === 1 ? first : Promise.resolve(),
    );
    const made = relayTo(group);
    for (let wakeUps = 0; wakeUps < 5; wakeUps += 1) made.accept({ tenantIds: [] });
    expect(group.delivered).toEqual(['noted']);
    end();
    await sleep(10);
    await made.stop();
    expect(group.delivered).toEqual(['noted', 'noted']);
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
    expect(group.delivered).toEqual([third]);
  });

  // Guards «nobody stalls others»: a group that takes seconds for a key costs neither sweeps nor other groups' deliveries,
  // and what its lanes do not come to goes to other processes.
  it('goes on for a healthy group while a slow one is at it, and passes on what that does not come to', async () => {
    const tenantIds = await tick(7);
    const untilStopped = (_key: string, stopping: AbortSignal): Promise<void> =>
      sleep(60_000, undefined, { signal: stopping }).catch(() => {}); // Stopped.
    const slow = new NotedGroup('tenant', untilStopped, 'slow');
    const healthy = new NotedGroup('tenant', undefined, 'healthy');
    await register(slow, healthy);
    const made = relayTo(slow, healthy);
    made.start();
    made.accept({ tenantIds });
    await sleep(2_500);
    const [late = ''] = await tick(1);
    await sleep(2_500);
    await made.stop();
    // Four lanes are taken, and no key by two of them; the others wait a quarter of a second, and for the next sweep.
    expect(slow.delivered).toHaveLength(4);
    expect(new Set(slow.delivered).size).toBe(4);
    expect(new Set(slow.enqueued)).toEqual(
      new Set([...tenantIds, late].filter((key) => !slow.delivered.includes(key))),
    );
    expect(healthy.delivered).toEqual(expect.arrayContaining([...tenantIds, late]));
    expect(healthy.enqueued).toEqual([]);
    expect(errors).toEqual([]);
  }, 20_000);

  // Guards «two pods, one killed»: a wake-up that died with its process holds its key in the queue for seconds.
  it('delivers in process what its predecessor has left, however long that waits', async () => {
    const tenantIds = await tick(6);
    const { promise: held, resolve: end } = Promise.withResolvers<void>();
    const group: NotedGroup = new NotedGroup('tenant', () =>
      group.delivered.length <= 4 ? held : Promise.resolve(),
    );
    await register(group);
    const made = relayTo(group);
    made.start();
    made.hurry();
    await sleep(500);
    made.accept({ tenantIds: [tenantIds[5] ?? ''] });
    // All lanes are taken for longer than others are waited for; these two keep their places all the same.
    expect([group.delivered.length, group.enqueued]).toEqual([4, []]);
    end();
    await sleep(100);
    await made.stop();
    expect(new Set(group.delivered)).toEqual(new Set(tenantIds));
  });

  it('delivers in process what the queue does not take', async () => {
    const { promise: held, resolve: end } = Promise.withResolvers<void>();
    const group = new NotedGroup('tenant', () => held);
    group.up = false;
    const made = relayTo(group);
    const tenantIds = Array.from({ length: 6 }, () => newId());
    made.accept({ tenantIds });
    await sleep(300);
    made.accept({ tenantIds: [newId()] }); // Two have waited for too long; the queue refuses them.
    await sleep(10);
    expect(errors.map(String)).toEqual(['Error: queue is away']);
    end();
    await sleep(50);
    await made.stop();
    expect(group.delivered).toEqual(expect.arrayContaining(tenantIds));
    expect(group.enqueued).toEqual([]);
  });

  it('comes to every tenant, although a thousand that cannot move stand before it', async () => {
    const group = new NotedGroup('tenant');
    await register(group);
    await database.admin(
      `insert into events.heads (tenant_id, tick) select gen_random_uuid(), 1 from generate_series(1, 1000)`,
    );
    const behind = newId();
    await database.admin('insert into events.heads (tenant_id, tick) values ($1, 2)', [behind]);
    const made = relayTo(group);
    await made.sweep();
    await sleep(200);
    expect(group.delivered.length + group.enqueued.length).toBe(1_000);
    await made.sweep();
    await made.stop();
    expect([...group.delivered, ...group.enqueued]).toContain(behind);
  });
});
