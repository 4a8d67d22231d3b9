import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

const FIND_IMPORT = statement<{ isUnderWay: boolean }>(
  'ledger.find_import',
  `select exists (
     select from tenants.tenants t where t.tenant_id = $1 and t.import_sha256 is not null and t.imported_at is null) as "isUnderWay"`,
);

/**
 * Whether an export is being read into the tenant. It comes table by table, in many transactions: accounts and timeouts are
 * there before the transfers that they are about, and nothing of it is to be judged until all are.
 */
export async function isImporting(tx: TenantTx): Promise<boolean> {
  return (await tx.row(FIND_IMPORT, [tx.tenantId]))?.isUnderWay ?? false;
}
