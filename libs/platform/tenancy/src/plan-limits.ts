import { type Caller, DomainError, type Feature, planOf, type Quotas } from '@holdfast/kernel';
import { type Statement, statement } from '@holdfast/database';
import type { TenantTx } from './tenant-tx';

/** The tenant's plan does not include what was asked for. */
export class FeatureNotInPlan extends DomainError {
  readonly code = 'tenants.feature_not_in_plan';
  readonly kind = 'forbidden';

  constructor() {
    super('The plan of this tenant does not include this.');
  }
}

/** The tenant has as many of these as its plan allows. */
export class QuotaExceeded extends DomainError {
  readonly code = 'tenants.quota_exceeded';
  readonly kind = 'refused';

  constructor() {
    super('This tenant has as many of these as its plan allows.');
  }
}

/** Refuses a caller whose tenant's plan does not include the feature. Throws FeatureNotInPlan. */
export function requireFeature(caller: Caller, feature: Feature): void {
  if (!planOf(caller.plan).features.includes(feature)) throw new FeatureNotInPlan();
}

const LOCK = statement('tenancy.lock_quota', 'select pg_advisory_xact_lock(hashtextextended($1, 0))');

/**
 * Refuses one more of what `count` counts (for the tenant in $1) when the plan's quota is reached. Throws QuotaExceeded.
 *
 * The lock is held until the transaction ends, so two that add at once count one after the other and see each other. A
 * plan that was made smaller takes nothing away: it only lets nothing be added.
 */
export async function requireQuota(
  tx: TenantTx,
  quota: keyof Quotas,
  count: Statement<{ readonly count: bigint }>,
): Promise<void> {
  await tx.execute(LOCK, [`quota ${quota} ${tx.tenantId}`]);
  const counted = await tx.row(count, [tx.tenantId]);
  if (!counted || counted.count >= planOf(tx.caller.plan).quotas[quota]) throw new QuotaExceeded();
}
