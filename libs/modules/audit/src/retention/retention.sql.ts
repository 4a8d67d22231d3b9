import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

const FIND = statement<{ readonly keepDays: number | null }>(
  'audit.find_retention',
  'select keep_days as "keepDays" from audit.retention where tenant_id = $1',
);

const CHANGE = statement<{ readonly version: bigint }>(
  'audit.change_retention',
  `update audit.retention
   set keep_days = $2, version = version + 1
   where tenant_id = $1
   returning version`,
);

/** How many days the tenant's events are kept; null: for ever. */
export async function findKeepDays(tx: TenantTx): Promise<number | null> {
  return (await tx.row(FIND, [tx.tenantId]))?.keepDays ?? null;
}

/** Writes it into the row, which is locked, and answers how often it has changed. */
export async function changeKeepDays(tx: TenantTx, keepDays: number | null): Promise<bigint> {
  const row = await tx.row(CHANGE, [tx.tenantId, keepDays]);
  if (!row) throw new Error('the retention of a tenant is gone while it is locked');
  return row.version;
}
