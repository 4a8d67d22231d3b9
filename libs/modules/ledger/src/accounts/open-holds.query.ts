import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

const FIND = statement<{ accounts: number }>(
  'ledger.find_open_holds',
  `select count(*)::int as accounts
   from ledger.accounts
   where tenant_id = $1 and (pending_debits > 0 or pending_credits > 0)`,
);

/** Why a tenant cannot be erased: money of it is held that is neither posted nor given back. Undefined where none is. */
export async function findOpenHolds(tx: TenantTx): Promise<string | undefined> {
  const accounts = (await tx.row(FIND, [tx.tenantId]))?.accounts ?? 0;
  return accounts === 0 ? undefined : `holds are open on ${accounts} accounts of the ledger`;
}
