import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId } from '@holdfast/kernel';
import type { Database } from '@holdfast/database';
import type { QueueBackend } from '@holdfast/jobs';
import type { Grants, TenantDatabase } from '@holdfast/tenancy';
import { Consumer, declarationOf, type StoreConsumer, type TenantConsumer } from './consumer';
import { Consumers } from './consumers';
import { Relay } from './relay';
import { Sequencer } from './sequencer';

/** What the bench runs on. Nothing else delivers from this database meanwhile. */
export interface EventsBenchResources {
  readonly tenants: TenantDatabase;
  readonly relay: Database;
  readonly grants: Grants;
  readonly backend: QueueBackend;
  /** Acts for the tenant whose events are written. */
  readonly caller: Caller;
  /** The real store; its answer counts as the delivery. */
  readonly sink: StoreConsumer;
  /** Consumers of tenants that run as well, as they would in a worker. */
  readonly tenantConsumers?: readonly TenantConsumer[];
  readonly eventsPerSecond?: number;
  readonly seconds?: number;
}

/** From the answer to the commit until the store has answered, in milliseconds. */
export interface EventsFigures {
  readonly events: number;
  readonly batches: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Latency of delivery at a steady rate of commits with one event each, through sequencer, relay, queue and store. */
export async function benchEvents(resources: EventsBenchResources): Promise<EventsFigures> {
  const { tenants, relay, grants, backend, sink, eventsPerSecond = 500, seconds = 10 } = resources;
  const [committedAt, deliveredAt] = [new Map<string, number>(), new Map<string, number>()];
  let batches = 0;
  @Consumer(declarationOf(sink))
  class Timed implements StoreConsumer {
    readonly batchMax = sink.batchMax;
    readonly paceMs = sink.paceMs ?? 50;

    async deliver(...batch: Parameters<StoreConsumer['deliver']>): Promise<void> {
      await sink.deliver(...batch);
      const [events] = batch;
      batches += 1;
      const now = performance.now();
      for (const { id } of events) deliveredAt.set(id, now);
    }
  }
  const report = (error: unknown, doing: string): void => console.error(doing, error);
  const consumers = new Consumers({
    tenants,
    relay,
    grants,
    backend,
    consumers: [new Timed(), ...(resources.tenantConsumers ?? [])],
    report,
  });
  const sequencer: Sequencer = new Sequencer({ relay, report, onTick: (tick) => waker.accept(tick) });
  const waker = new Relay({ relay, groups: consumers.groups, isLeading: () => sequencer.isLeading, report });
  consumers.start();
  waker.start();
  sequencer.start();
  try {
    // The first second is the queue's migration, the first plans and an idle sequencer.
    await commitSteadily(resources, eventsPerSecond, 1, committedAt);
    await settled(committedAt, deliveredAt);
    committedAt.clear();
    batches = 0;
    await commitSteadily(resources, eventsPerSecond, seconds, committedAt);
    await settled(committedAt, deliveredAt);
  } finally {
    await sequencer.stop();
    await waker.stop();
    await consumers.stop();
  }
  const latencies = [...committedAt].map(([id, at]) => Math.max(0, (deliveredAt.get(id) ?? Infinity) - at));
  return { events: latencies.length, batches, ...percentiles(latencies) };
}

async function commitSteadily(
  { tenants, caller }: EventsBenchResources,
  eventsPerSecond: number,
  seconds: number,
  committedAt: Map<string, number>,
): Promise<void> {
  const startedAt = performance.now();
  const commits: Promise<void>[] = [];
  for (let sent = 0; sent < eventsPerSecond * seconds; sent += 1) {
    const dueMs = startedAt + (sent * 1_000) / eventsPerSecond - performance.now();
    if (dueMs > 1) await sleep(dueMs);
    commits.push(commitOne(tenants, caller, committedAt));
  }
  await Promise.all(commits);
}

async function commitOne(
  tenants: TenantDatabase,
  caller: Caller,
  committedAt: Map<string, number>,
): Promise<void> {
  const id = newId();
  const event = {
    id,
    type: 'bench.thing.made',
    schemaVersion: 1,
    streamType: 'bench.thing',
    streamId: id,
    streamVersion: 1n,
  };
  await tenants.transaction(caller, (tx) => tx.announce({ ...event, payload: '{"amount":"1"}' }));
  committedAt.set(id, performance.now());
}

async function settled(
  committedAt: ReadonlyMap<string, number>,
  deliveredAt: ReadonlyMap<string, number>,
): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (![...committedAt.keys()].every((id) => deliveredAt.has(id))) {
    if (Date.now() > deadline) throw new Error('not everything was delivered within 30 s');
    await sleep(20);
  }
}

function percentiles(latencies: readonly number[]): Pick<EventsFigures, 'p50Ms' | 'p99Ms' | 'maxMs'> {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}
