import { statement, type SystemTx } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** A tenant that has open holds with a time, and how long ago the first of these times was; negative before it. */
export interface TenantWithTimeouts {
  readonly tenantId: string;
  readonly overdueSeconds: number;
}

// Walks from tenant to tenant by the primary key, so one that has a million open holds costs as much as one that has one. The
// limit is on tenants walked, due or not: it bounds what a look costs.
const LIST_TENANTS = statement<TenantWithTimeouts>(
  'ledger.list_tenants_with_timeouts',
  `with recursive walked (tenant_id) as (
     (select t.tenant_id from ledger.timeouts t where t.tenant_id > $1 order by t.tenant_id limit 1)
     union all
     select (select t.tenant_id from ledger.timeouts t where t.tenant_id > w.tenant_id order by t.tenant_id limit 1)
     from walked w
     where w.tenant_id is not null
   )
   select w.tenant_id as "tenantId", extract(epoch from ledger.clock() - first.expires_at)::float8 as "overdueSeconds"
   from walked w
   cross join lateral (
     select t.expires_at from ledger.timeouts t where t.tenant_id = w.tenant_id order by t.expires_at limit 1) first
   limit $2`,
);

/** Tenants behind `after` that have holds which end by themselves, in the order of their ids. */
export function listTenantsWithTimeouts(
  tx: SystemTx,
  after: string,
  limit: number,
): Promise<TenantWithTimeouts[]> {
  return tx.rows(LIST_TENANTS, [after, limit]);
}

/** A hold whose time is over. The instant is text, which keeps microseconds. */
export interface DueHold {
  readonly holdId: string;
  readonly expiresAt: string;
}

// The clock is read once, by itself: a volatile function in its place would be no condition of an index, and the look would go
// on through every open hold of the tenant.
const LIST_DUE = statement<DueHold>(
  'ledger.list_due_holds',
  `select t.hold_id as "holdId", t.expires_at::text as "expiresAt"
   from ledger.timeouts t
   where t.tenant_id = $1 and t.expires_at <= (select ledger.clock()) and t.expires_at >= $2::timestamptz
     and (t.expires_at, t.hold_id) > ($2::timestamptz, $3::uuid)
   order by t.expires_at, t.hold_id
   limit $4`,
);

/** Holds of the tenant whose time is over, behind `after`, the longest overdue first. */
export function listDueHolds(tx: TenantTx, after: DueHold, limit: number): Promise<DueHold[]> {
  return tx.rows(LIST_DUE, [tx.tenantId, after.expiresAt, after.holdId, limit]);
}

const TRY_LOCK = statement<{ locked: boolean }>(
  'ledger.try_lock_timeouts',
  "select pg_try_advisory_xact_lock(hashtextextended('ledger.timeouts ' || $1, 0)) as locked",
);

/** Whether no other sweeper is at the tenant; until the end of the transaction. */
export async function tryLockTimeouts(tx: TenantTx): Promise<boolean> {
  return (await tx.row(TRY_LOCK, [tx.tenantId]))?.locked ?? false;
}

const DELETE = statement(
  'ledger.delete_timeouts',
  'delete from ledger.timeouts t where t.tenant_id = $1 and t.hold_id = any ($2::uuid[])',
);

/** Takes away rows of holds that have ended, or are none, and answers how many there were. */
export function deleteTimeouts(tx: TenantTx, holdIds: readonly string[]): Promise<number> {
  return tx.execute(DELETE, [tx.tenantId, holdIds]);
}
