import { NotFound } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import { AccountReserved } from '../ledger.errors';
import type { AccountRow, AccountView, OpenAccountInput } from './account';

const INSERT_ACCOUNT = statement<AccountRow>(
  'ledger.insert_account',
  `insert into ledger.accounts (tenant_id, id, code, asset, normal_balance, limit_rule, metadata)
   values ($1, $2, $3, $4, $5, $6, $7)
   on conflict (tenant_id, code) do nothing
   returning id, code, asset, normal_balance, limit_rule, posted_debits, posted_credits, pending_debits, pending_credits,
     version, revision, metadata,
     to_char(opened_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as opened_at,
     to_char(closed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as closed_at`,
);

// The lock that posting takes, too: what is booked before the account closes has ended, and what comes later sees it closed.
const LOCK = statement<AccountRow & { readonly owner: string | null }>(
  'ledger.lock_account',
  `select id, code, asset, normal_balance, limit_rule, posted_debits, posted_credits, pending_debits, pending_credits,
     version, revision, metadata, owner,
     to_char(opened_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as opened_at,
     to_char(closed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as closed_at
   from ledger.accounts
   where tenant_id = $1 and id = $2
   for no key update`,
);

const UPDATE = statement<AccountRow>(
  'ledger.update_account',
  `update ledger.accounts
   set closed_at = case when $3 then coalesce(closed_at, ledger.clock()) end, metadata = $4, revision = revision + 1
   where tenant_id = $1 and id = $2
   returning id, code, asset, normal_balance, limit_rule, posted_debits, posted_credits, pending_debits, pending_credits,
     version, revision, metadata,
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

/** The account, locked against posting and against other changes until the commit. Throws NotFound or AccountReserved. */
export async function lockAccount(tx: TenantTx, id: string): Promise<AccountRow> {
  const row = await tx.row(LOCK, [tx.tenantId, id]);
  if (!row) throw new NotFound();
  if (row.owner !== null) throw new AccountReserved();
  return row;
}

/** Writes what people change of an account that is locked, and counts its revision. */
export async function updateAccount(
  tx: TenantTx,
  id: string,
  { isClosed, metadata }: { readonly isClosed: boolean; readonly metadata: AccountView['metadata'] },
): Promise<AccountRow> {
  const row = await tx.row(UPDATE, [tx.tenantId, id, isClosed, JSON.stringify(metadata)]);
  if (!row) throw new NotFound();
  return row;
}
