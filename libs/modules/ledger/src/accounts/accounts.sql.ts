import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { AccountRow, OpenAccountInput } from './account';

const INSERT_ACCOUNT = statement<AccountRow>(
  'ledger.insert_account',
  `insert into ledger.accounts (tenant_id, id, code, asset, normal_balance, limit_rule, metadata)
   values ($1, $2, $3, $4, $5, $6, $7)
   on conflict (tenant_id, code) do nothing
   returning id, code, asset, normal_balance, limit_rule, posted_debits, posted_credits, pending_debits, pending_credits,
     version, metadata,
     to_char(opened_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as opened_at,
     to_char(closed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as closed_at`,
);

/**
 * Inserts an account without entries; undefined when its code is taken. The row is locked until the commit, so events of
 * the account may be announced.
 */
export function insertAccount(
  tx: TenantTx,
  id: string,
  account: OpenAccountInput,
): Promise<AccountRow | undefined> {
  const { code, asset, normalBalance, limit, metadata } = account;
  return tx.row(INSERT_ACCOUNT, [
    tx.tenantId,
    id,
    code,
    asset,
    normalBalance,
    limit,
    JSON.stringify(metadata),
  ]);
}
