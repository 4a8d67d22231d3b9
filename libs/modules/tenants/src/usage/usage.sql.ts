import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** How many events of a type occurred on a day (UTC). */
export interface UsageCount {
  readonly usedOn: string;
  readonly eventType: string;
  readonly eventCount: number;
}

const ADD = statement(
  'tenants.add_usage_counts',
  `insert into tenants.usage_counts as u (tenant_id, used_on, event_type, event_count)
   select $1::uuid, c.used_on, c.event_type, c.event_count
   from unnest($2::date[], $3::text[], $4::bigint[]) c (used_on, event_type, event_count)
   on conflict (tenant_id, used_on, event_type) do update
   set event_count = u.event_count + excluded.event_count`,
);

/** Adds to the tenant's counts. Each day and type occurs once in `counts`. */
export async function addUsageCounts(tx: TenantTx, counts: readonly UsageCount[]): Promise<void> {
  await tx.execute(ADD, [
    tx.tenantId,
    counts.map((count) => count.usedOn),
    counts.map((count) => count.eventType),
    counts.map((count) => count.eventCount),
  ]);
}

const CLEAR = statement(
  'tenants.clear_usage_counts',
  'delete from tenants.usage_counts where tenant_id = $1',
);

/** Forgets the tenant's counts: a row per day and type. */
export async function clearUsageCounts(tx: TenantTx): Promise<void> {
  await tx.execute(CLEAR, [tx.tenantId]);
}
