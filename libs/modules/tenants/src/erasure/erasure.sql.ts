import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { JWK } from 'jose';

const POSTPONE = statement(
  'tenants.note_erasure_postponed',
  'update tenants.tenants set erase_postponed = $2 where tenant_id = $1',
);

const ERASE_PAGE = statement<{ relation: string; rowCount: bigint }>(
  'tenants.erase_page',
  'select relation, row_count as "rowCount" from tenancy.erase_page($1)',
);

const COUNT_ROWS = statement<{ relation: string; rowCount: bigint }>(
  'tenants.count_rows',
  'select relation, row_count as "rowCount" from tenancy.count_rows() limit 1000',
);

const STORE_RECEIPT = statement('tenants.store_receipt', 'select tenancy.store_receipt($1, $2)');

/** Says to the operator why the erasure waits. */
export async function noteErasurePostponed(tx: TenantTx, reason: string): Promise<void> {
  await tx.execute(POSTPONE, [tx.tenantId, reason.slice(0, 500)]);
}

/** Deletes up to so many rows of one table of the tenant; undefined when there are none left in any. */
export function erasePage(
  tx: TenantTx,
  rowsMax: number,
): Promise<{ relation: string; rowCount: bigint } | undefined> {
  return tx.row(ERASE_PAGE, [rowsMax]);
}

/** How many rows of the tenant each table of the catalogue has. */
export function countRows(tx: TenantTx): Promise<{ relation: string; rowCount: bigint }[]> {
  return tx.rows(COUNT_ROWS);
}

/** Leaves the receipt. The database refuses while a row of the tenant is left. */
export async function storeReceipt(tx: TenantTx, receipt: string, verifiedBy: JWK): Promise<void> {
  await tx.execute(STORE_RECEIPT, [receipt, JSON.stringify(verifiedBy)]);
}
