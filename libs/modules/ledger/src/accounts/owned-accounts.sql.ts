import { statement } from '@holdfast/database';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { AccountClosed, AccountNotFound, AccountReserved, AssetMismatch } from '../ledger.errors';
import { accountOpened } from '../ledger.events';
import type { AccountRow } from './account';

/** An account that a part of the system owns: `owner` is the name of its grants, and only under them it is opened and booked on. */
export interface OwnedAccount {
  readonly id: string;
  readonly code: string;
  readonly asset: string;
  readonly owner: string;
}

const INSERT_OWNED = statement<{ readonly id: string }>(
  'ledger.insert_owned_account',
  `insert into ledger.accounts (tenant_id, id, code, asset, normal_balance, limit_rule, metadata, owner)
   values ($1, $2, $3, $4, 'credit', 'none', '{}', $5)
   on conflict (tenant_id, id) do nothing
   returning id`,
);

const FIND_TERMS = statement<
  Pick<AccountRow, 'asset' | 'normal_balance' | 'closed_at'> & { readonly owner: string | null }
>(
  'ledger.find_account_terms',
  `select asset, normal_balance, owner,
     to_char(closed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as closed_at
   from ledger.accounts
   where tenant_id = $1 and id = $2`,
);

/** Somebody else's account has the id of one of the system's: somebody has written it by hand. */
class AccountTaken extends Error {
  override readonly name = 'AccountTaken';
}

/**
 * Opens an account of the system's, with the credit side as its normal one and no limit, unless it is there. Its id follows from what it is
 * for (`deterministicId`), which no account of a tenant's own has.
 */
export async function openOwnedAccount(
  tx: TenantTx,
  { id, code, asset, owner }: OwnedAccount,
): Promise<void> {
  if (!(await tx.row(INSERT_OWNED, [tx.tenantId, id, code, asset, owner]))) {
    if ((await tx.row(FIND_TERMS, [tx.tenantId, id]))?.owner !== owner) throw new AccountTaken();
    return;
  }
  const terms = { asset, normalBalance: 'credit', limit: 'none' } as const;
  await tx.announce(announcement(accountOpened, { id, version: 1n }, terms));
}

/**
 * The normal side of an account that the tenant books on itself, in the asset. Without a lock: posting decides for good. Throws
 * AccountNotFound, AccountReserved, AccountClosed or AssetMismatch.
 */
export async function normalSideOf(
  tx: TenantTx,
  accountId: string,
  asset: string,
): Promise<AccountRow['normal_balance']> {
  const account = await tx.row(FIND_TERMS, [tx.tenantId, accountId]);
  if (!account) throw new AccountNotFound();
  if (account.owner !== null) throw new AccountReserved();
  if (account.closed_at !== null) throw new AccountClosed();
  if (account.asset !== asset) throw new AssetMismatch();
  return account.normal_balance;
}
