import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '@holdfast/database';
import type { ConsumerGroup } from './consumers';
import { DeliveryLanes } from './delivery-lanes';
import { lagging, wakeUpsTotal } from './delivery-metrics';
import { forgetLags, measureLags } from './lag.sql';
import { type Lagging, listLagging } from './lagging.sql';
import type { Report } from './report';
import { at } from './steps';
import { relaying, thinTicks, type Tick } from './ticks.sql';

/** What the relay needs of its process. */
export interface RelayOptions {
  readonly relay: Database;
  readonly groups: readonly ConsumerGroup[];
  /** Only the sequencer's process sweeps. */
  readonly isLeading: () => boolean;
  readonly report: Report;
}

/** Where a lagging key stands, and for how many sweeps it has stood there. */
interface Standing {
  readonly position: string;
  readonly sweeps: number;
}

/** Between two comparisons of heads with cursors: the longest that a lost wake-up costs. */
const SWEEP_INTERVAL_MS = 1_000;
const THIN_EVERY_SWEEPS = 10;
const MEASURE_EVERY_SWEEPS = 5;
/** Lagging keys of one group in one sweep; the rest are found by the next. */
const SWEPT_MAX = 1_000;
/** A key that has not moved for so many sweeps is delivered here as well: who was woken for it may have died with it. */
const STANDING_SWEEPS = 2;

/**
 * Wakes consumer groups: at each tick those that it concerns, and every second whatever lags.
 *
 * Its own process delivers first, beside the sweeps and each group for itself: that is a hop less, and merges wake-ups of
 * a key while it waits. What that does not come to in time goes through the queue, which spreads it over processes, and
 * comes back where the queue does not take it, or nobody has moved the key for 2 s. Nothing rests on either: what lags is
 * read from heads and cursors, so a wake-up that is lost costs a second.
 */
export class Relay {
  private readonly pending = new Map<ConsumerGroup, Set<string>>();
  private readonly pumping = new Map<ConsumerGroup, Promise<void>>();
  private readonly lanes: ReadonlyMap<ConsumerGroup, DeliveryLanes>;
  private readonly sweptTo = new Map<ConsumerGroup, Lagging | undefined>();
  private readonly stopping = new AbortController();
  private pause = new AbortController();
  private isSuccessor = false;
  private readonly standing = new Map<ConsumerGroup, ReadonlyMap<string, Standing>>();
  private sweeping: Promise<void> = Promise.resolve();

  constructor(private readonly options: RelayOptions) {
    const { signal } = this.stopping;
    this.lanes = new Map(options.groups.map((group) => [group, new DeliveryLanes(group, signal)]));
  }

  /** Begins to sweep. */
  start(): void {
    this.sweeping = this.keepSweeping();
  }

  /**
   * Has the next sweep begin at once, and deliver here all that it finds: whoever takes the lead finds what its predecessor
   * has left, and the wake-ups that died with it keep their keys in the queue for seconds.
   */
  hurry(): void {
    this.isSuccessor = true;
    this.pause.abort();
  }

  /** Ends the sweeps and waits for the wake-ups under way, and for deliveries to end the page that they are at. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.sweeping;
    await Promise.all(this.pumping.values());
    await Promise.all([...this.lanes.values()].map((lanes) => lanes.settled()));
  }

  /** Wakes whom the tick concerns. Returns at once: ticks do not wait for queues. */
  accept(tick: Pick<Tick, 'tenantIds'>): void {
    for (const group of this.options.groups)
      this.wake(group, group.kind === 'store' ? [group.name] : tick.tenantIds);
  }

  /** Wakes whatever lags, once. Waits for no delivery. */
  async sweep(): Promise<void> {
    const isFirst = this.isSuccessor;
    this.isSuccessor = false;
    for (const group of this.options.groups) {
      const after = this.sweptTo.get(group);
      const found = await relaying(this.options.relay, (tx) => listLagging(tx, group, SWEPT_MAX, after));
      await at('relay.swept');
      // The next sweep goes on behind a full one: tenants that cannot move must not hide those behind them for ever.
      const tenants = found.filter(({ tick }) => tick !== null);
      this.sweptTo.set(group, tenants.length < SWEPT_MAX ? undefined : tenants.at(-1));
      lagging.set({ group: group.name }, found.length);
      const keys = found.map(({ key }) => key);
      this.wake(group, keys);
      const standing = this.standingOf(group, found);
      this.lanes.get(group)?.insist(isFirst ? keys : standing);
    }
  }

  private async keepSweeping(): Promise<void> {
    for (let sweeps = 1; !this.stopping.signal.aborted; sweeps += 1) {
      this.pause = new AbortController();
      const signal = AbortSignal.any([this.stopping.signal, this.pause.signal]);
      await sleep(SWEEP_INTERVAL_MS, undefined, { signal }).catch(() => {}); // Stopped, or in a hurry.
      if (this.stopping.signal.aborted) continue;
      if (!this.options.isLeading()) {
        forgetLags(this.options.groups);
        continue;
      }
      try {
        await this.sweep();
        if (sweeps % MEASURE_EVERY_SWEEPS === 0) await measureLags(this.options.relay, this.options.groups);
        if (sweeps % THIN_EVERY_SWEEPS === 0) await thinTicks(this.options.relay);
      } catch (error) {
        this.options.report(error, 'sweeping');
      }
    }
  }

  /** Keys that have stood where they stand for 2 s, although somebody was woken for them. */
  private standingOf(group: ConsumerGroup, found: readonly Lagging[]): string[] {
    const before = this.standing.get(group);
    const standing = new Map(
      found.map(({ key, position }) => {
        const earlier = before?.get(key);
        return [key, { position, sweeps: earlier?.position === position ? earlier.sweeps + 1 : 0 }];
      }),
    );
    this.standing.set(group, standing);
    return [...standing].filter(([, { sweeps }]) => sweeps >= STANDING_SWEEPS).map(([key]) => key);
  }

  /** Wakes keys in this process while its lanes keep up, and through the queue beyond that. */
  private wake(group: ConsumerGroup, keys: readonly string[]): void {
    this.pass(group, this.lanes.get(group)?.offer(keys) ?? keys);
  }

  /** Adds to what the group's pump takes next. Keys that come faster than the queue takes them merge. */
  private pass(group: ConsumerGroup, keys: readonly string[]): void {
    const pending = this.pending.get(group) ?? new Set();
    for (const key of keys) pending.add(key);
    this.pending.set(group, pending);
    if (pending.size === 0 || this.pumping.has(group)) return;
    const pumping = this.pump(group, pending).finally(() => this.pumping.delete(group));
    this.pumping.set(group, pumping);
  }

  private async pump(group: ConsumerGroup, pending: Set<string>): Promise<void> {
    while (pending.size > 0) {
      const keys = [...pending].slice(0, SWEPT_MAX);
      for (const key of keys) pending.delete(key);
      try {
        await group.enqueue(keys);
        await at('relay.enqueued');
        wakeUpsTotal.inc({ group: group.name, way: 'queue' }, keys.length);
      } catch (error) {
        this.options.report(error, `waking ${group.name}`);
        this.lanes.get(group)?.insist(keys);
      }
    }
  }
}
