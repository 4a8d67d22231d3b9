import { assetSchema } from '@holdfast/kernel';
import { z } from 'zod';
import { limitRuleSchema, normalBalanceSchema } from '../ledger.events';
import { codeSchema, digitsView, instantView, metadataSchema } from '../ledger-values';

/** What it takes to open an account. */
export const openAccountInput = z.strictObject({
  code: codeSchema,
  asset: assetSchema,
  normalBalance: normalBalanceSchema,
  limit: limitRuleSchema.default('none'),
  metadata: metadataSchema.default({}),
});
export type OpenAccountInput = z.output<typeof openAccountInput>;

/** The four totals of an account, in minor units of its asset. */
export const balancesView = z.object({
  postedDebits: digitsView,
  postedCredits: digitsView,
  pendingDebits: digitsView,
  pendingCredits: digitsView,
});

/** An account on the wire. */
export const accountView = z.object({
  id: z.guid(),
  code: z.string(),
  asset: assetSchema,
  normalBalance: normalBalanceSchema,
  limit: limitRuleSchema,
  balances: balancesView,
  available: digitsView.meta({
    description:
      'What is free by the normal balance: posted less what goes the other way, holds included. Below 0: `-5`.',
  }),
  version: digitsView.meta({ description: 'Counts its entries.' }),
  revision: digitsView.meta({ description: 'Counts what people change; the number in its ETag.' }),
  metadata: metadataSchema,
  openedAt: instantView,
  closedAt: instantView.nullable(),
});
export type AccountView = z.output<typeof accountView>;

/** What PATCH takes: the metadata as a whole. */
export const changeAccountInput = z.strictObject({ metadata: metadataSchema });

/** The columns of an account, as its statements name them. */
export interface AccountRow {
  readonly id: string;
  readonly code: string;
  readonly asset: string;
  readonly normal_balance: AccountView['normalBalance'];
  readonly limit_rule: AccountView['limit'];
  readonly posted_debits: bigint;
  readonly posted_credits: bigint;
  readonly pending_debits: bigint;
  readonly pending_credits: bigint;
  readonly version: bigint;
  readonly revision: bigint;
  readonly metadata: Record<string, unknown>;
  readonly opened_at: string;
  readonly closed_at: string | null;
}

/** The four totals of anything that has them. */
export type TotalsRow = Pick<
  AccountRow,
  'posted_debits' | 'posted_credits' | 'pending_debits' | 'pending_credits'
>;

/** Totals as callers see them. */
export function showBalances(row: TotalsRow): z.output<typeof balancesView> {
  return {
    postedDebits: String(row.posted_debits),
    postedCredits: String(row.posted_credits),
    pendingDebits: String(row.pending_debits),
    pendingCredits: String(row.pending_credits),
  };
}

/**
 * What can still be taken from the account's normal side: holds that take from it count as taken, holds that bring to it do not
 * count. `min_balance_after` is held against the same number.
 */
export function availableOf(normalBalance: AccountView['normalBalance'], row: TotalsRow): bigint {
  const balance = row.posted_debits - row.posted_credits;
  return normalBalance === 'debit' ? balance - row.pending_credits : -balance - row.pending_debits;
}

/** The account as callers see it. */
export function showAccount(row: AccountRow): AccountView {
  return {
    id: row.id,
    code: row.code,
    asset: row.asset,
    normalBalance: row.normal_balance,
    limit: row.limit_rule,
    balances: showBalances(row),
    available: String(availableOf(row.normal_balance, row)),
    version: String(row.version),
    revision: String(row.revision),
    metadata: row.metadata,
    openedAt: row.opened_at,
    closedAt: row.closed_at,
  };
}
