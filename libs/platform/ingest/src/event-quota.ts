import { type BucketShape, PLAN_NAMES, type PlanName, PLANS, takeTokens } from '@holdfast/kernel';
import { LRUCache } from 'lru-cache';

/** Buckets that differ from a full one; beyond this the one longest untouched counts as full. */
const TENANTS_MAX = 50_000;

const SHAPES = Object.fromEntries(PLAN_NAMES.map((plan) => [plan, shapeOf(plan)])) as Record<
  PlanName,
  BucketShape
>;

function shapeOf(plan: PlanName): BucketShape {
  const { eventsBurst: size, eventsPerSecond: perSecond } = PLANS[plan].quotas;
  return { size, perSecond };
}

/**
 * How many events a tenant may send, by its plan: a token bucket for each tenant, in this process.
 *
 * A request passes as a whole while a token is in its tenant's bucket, and may overdraw it by what it brings: SDKs send batches, and would
 * send all of one again of which a part was refused. So in any time `t` at most the bucket, `t` times the rate and one request pass.
 */
export class EventQuota {
  private readonly fullAtMs = new LRUCache<string, number>({ max: TENANTS_MAX });

  /** `now`: milliseconds of a clock that nobody sets back. */
  constructor(private readonly now = (): number => performance.now()) {}

  /** Takes `events` tokens and answers 0, or takes none and answers in how many milliseconds some will be there. */
  take(tenantId: string, plan: PlanName, events: number): number {
    const known = this.fullAtMs.get(tenantId) ?? 0;
    const { isAdmitted, fullAtMs, waitMs } = takeTokens(SHAPES[plan], known, this.now(), events, 1);
    if (isAdmitted) this.fullAtMs.set(tenantId, fullAtMs);
    return waitMs;
  }
}
