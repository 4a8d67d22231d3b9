import { wakeUpsTotal } from './delivery-metrics';
import type { ConsumerGroup } from './consumers';

/** Deliveries in process at a time: half of what a group's worker does, since both may be at it. */
const LANES = 3;
/** Keys that wait for a lane at most; more of them lag on, and the sweeps find them. */
const WAITING_MAX = 1_000;

/**
 * Delivers to one group in this process, a few keys at a time, while nobody waits: each group has lanes of its own, so one
 * that takes seconds for a key holds up neither the sweeps nor any other group.
 */
export class DeliveryLanes {
  private readonly waiting = new Set<string>();
  private readonly underWay = new Set<string>();
  private readonly lanes = new Set<Promise<void>>();

  constructor(
    private readonly group: ConsumerGroup,
    private readonly stopping: AbortSignal,
  ) {}

  /** Delivers the keys as lanes become free, but for those that are being delivered: what they miss, a sweep finds. */
  add(keys: readonly string[]): void {
    for (const key of keys)
      if (this.waiting.size < WAITING_MAX && !this.underWay.has(key)) this.waiting.add(key);
    for (let free = Math.min(LANES - this.lanes.size, this.waiting.size); free > 0; free -= 1) {
      const lane: Promise<void> = this.run().finally(() => this.lanes.delete(lane));
      this.lanes.add(lane);
    }
  }

  /** Waits for the deliveries under way; after a stop no others begin. */
  async settled(): Promise<void> {
    await Promise.all(this.lanes);
  }

  private async run(): Promise<void> {
    for (const key of this.waiting) {
      if (this.stopping.aborted) return;
      this.waiting.delete(key);
      wakeUpsTotal.inc({ group: this.group.name, way: 'process' });
      this.underWay.add(key);
      await this.group.deliver(key, this.stopping);
      this.underWay.delete(key);
    }
  }
}
