import { type PlanName, PLANS } from '@holdfast/kernel';
import { LRUCache } from 'lru-cache';

/** Buckets that differ from a full one; beyond this the one longest untouched counts as full. */
const TENANTS_MAX = 50_000;

/**
 * How many events a tenant may send, by its plan: a token bucket for each tenant, in this process.
 *
 * A request passes as a whole while its tenant's bucket is not empty, and may overdraw it by what it brings: SDKs send batches, and would
 * send all of one again of which a part was refused. So in any time `t` at most the bucket, `t` times the rate and one request pass. A
 * bucket is the instant at which it will be full (generic cell rate algorithm, ITU-T I.371).
 */
export class EventQuota {
  private readonly fullAtMs = new LRUCache<string, number>({ max: TENANTS_MAX });

  /** `now`: milliseconds of a clock that nobody sets back. */
  constructor(private readonly now = (): number => performance.now()) {}

  /** Takes `events` tokens and answers 0, or takes none and answers in how many milliseconds some will be there. */
  take(tenantId: string, plan: PlanName, events: number): number {
    const nowMs = this.now();
    const { eventsPerSecond, eventsBurst } = PLANS[plan].quotas;
    const fullInMs = Math.max((this.fullAtMs.get(tenantId) ?? 0) - nowMs, 0);
    const emptyInMs = (eventsBurst / eventsPerSecond) * 1_000 - fullInMs;
    if (emptyInMs <= 0) return Math.ceil(1 - emptyInMs);
    this.fullAtMs.set(tenantId, nowMs + fullInMs + (events / eventsPerSecond) * 1_000);
    return 0;
  }
}
