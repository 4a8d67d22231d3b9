import { wakeUpsTotal } from './delivery-metrics';
import type { ConsumerGroup } from './consumers';

/** Deliveries in process at a time. With those of the group's queue they fit the pool of a worker. */
const LANES = 4;
/** Keys that wait for a lane at most; more of them go another way, or lag on until a sweep finds them. */
const WAITING_MAX = 1_000;
/** Who has waited so long goes another way: well above a wait under full load, well below what anybody notices. */
const PATIENCE_MS = 250;
/** For so long a key that went another way keeps to it, or both would look at its cursor for every tick. */
const AWAY_MS = 1_000;

/**
 * Delivers to one group in this process, a few keys at a time, while nobody waits: each group has lanes of its own, so one
 * that takes seconds for a key holds up neither the sweeps nor any other group.
 */
export class DeliveryLanes {
  /** Since when, by key, in order. */
  private readonly waiting = new Map<string, number>();
  private readonly insisted = new Set<string>();
  private readonly underWay = new Set<string>();
  private readonly again = new Set<string>();
  private readonly awayUntil = new Map<string, number>();
  private readonly lanes = new Set<Promise<void>>();

  constructor(
    private readonly group: ConsumerGroup,
    private readonly stopping: AbortSignal,
  ) {}

  /**
   * Delivers the keys as lanes become free. Answers the keys that have to go another way: all that wait, if the lanes have
   * been taken for too long; other processes may have free ones.
   */
  offer(keys: readonly string[]): readonly string[] {
    const now = performance.now();
    const [away, here]: [string[], string[]] = [[], []];
    for (const key of keys) ((this.awayUntil.get(key) ?? 0) > now ? away : here).push(key);
    this.take(here, now);
    const [oldest] = this.waiting.values();
    if (oldest !== undefined && now - oldest > PATIENCE_MS) away.push(...this.giveUp(now));
    return away;
  }

  /** Delivers the keys here, however long they wait for a lane. What is too much, a sweep finds. */
  insist(keys: readonly string[]): void {
    for (const key of keys) {
      this.insisted.add(key);
      this.awayUntil.delete(key);
    }
    this.take(keys, performance.now());
  }

  /** Waits for the deliveries under way; after a stop no others begin. */
  async settled(): Promise<void> {
    await Promise.all(this.lanes);
  }

  private take(keys: readonly string[], now: number): void {
    for (const key of keys) {
      // What is under way may have looked before there was anything to see.
      if (this.underWay.has(key)) this.again.add(key);
      else if (!this.waiting.has(key) && this.waiting.size < WAITING_MAX) this.waiting.set(key, now);
    }
    for (let free = Math.min(LANES - this.lanes.size, this.waiting.size); free > 0; free -= 1) {
      const lane: Promise<void> = this.run().finally(() => this.lanes.delete(lane));
      this.lanes.add(lane);
    }
  }

  private giveUp(now: number): string[] {
    for (const [key, until] of this.awayUntil) if (until <= now) this.awayUntil.delete(key);
    const keys = [...this.waiting.keys()].filter((key) => !this.insisted.has(key));
    for (const key of keys) {
      this.waiting.delete(key);
      this.awayUntil.set(key, now + AWAY_MS);
    }
    return keys;
  }

  private async run(): Promise<void> {
    for (const key of this.waiting.keys()) {
      if (this.stopping.aborted) return;
      this.waiting.delete(key);
      this.insisted.delete(key);
      wakeUpsTotal.inc({ group: this.group.name, way: 'process' });
      this.underWay.add(key);
      const isMore = await this.group.deliver(key, this.stopping);
      this.underWay.delete(key);
      // Behind the others: a backlog takes a turn like everybody.
      if (this.again.delete(key) || isMore) this.waiting.set(key, performance.now());
    }
  }
}
