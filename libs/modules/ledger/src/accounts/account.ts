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
  version: digitsView,
  metadata: metadataSchema,
  openedAt: instantView,
  closedAt: instantView.nullable(),
});
export type AccountView = z.output<typeof accountView>;

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
  readonly metadata: Record<string, unknown>;
  readonly opened_at: string;
  readonly closed_at: string | null;
}

/** The account as callers see it. */
export function showAccount(row: AccountRow): AccountView {
  return {
    id: row.id,
    code: row.code,
    asset: row.asset,
    normalBalance: row.normal_balance,
    limit: row.limit_rule,
    balances: {
      postedDebits: String(row.posted_debits),
      postedCredits: String(row.posted_credits),
      pendingDebits: String(row.pending_debits),
      pendingCredits: String(row.pending_credits),
    },
    version: String(row.version),
    metadata: row.metadata,
    openedAt: row.opened_at,
    closedAt: row.closed_at,
  };
}
