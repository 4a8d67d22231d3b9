import { z } from 'zod';
import { dayView, digitsView, instantView, metadataSchema } from '../ledger-values';
import type { Posting, PostingKind, PostingResult } from '../posting/post-batch.sql';

/** What a transfer is; see `PostingKind`. */
export const kindSchema = z
  .enum(['transfer', 'hold', 'post', 'void', 'expiry', 'reversal'])
  .meta({ description: 'A transfer, a hold, what ended a hold, or a transfer back.' });

/** What became of a transfer. */
export const statusSchema = z.enum(['posted', 'pending', 'voided', 'expired']).meta({
  description:
    'Of a hold what became of it, and pending until then; of what ended it what that did. A hold whose time is over ' +
    'stays pending until its amount is given back, some seconds later.',
});

/** What came of each item: `created`, `exists`, or the code of its refusal. */
export const postedItemsView = z.object({ results: z.array(z.object({ id: z.guid(), result: z.string() })) });
export type PostedItemsView = z.output<typeof postedItemsView>;

/** A transfer on the wire. */
export const transferView = z.object({
  id: z.guid(),
  kind: kindSchema,
  status: statusSchema,
  targetId: z
    .guid()
    .nullable()
    .meta({ description: 'The hold that it ended, or the transfer that it reversed.' }),
  endedById: z.guid().nullable().meta({ description: 'Of a hold: what posted, voided or expired it.' }),
  reversedById: z.guid().nullable().meta({ description: 'What made it the other way round.' }),
  debitAccountId: z.guid(),
  creditAccountId: z.guid(),
  asset: z.string(),
  amount: digitsView,
  debitVersion: digitsView.meta({ description: 'The version that it left on the debited account.' }),
  creditVersion: digitsView.meta({ description: 'The version that it left on the credited account.' }),
  effectiveDate: dayView,
  expiresAt: instantView.nullable().meta({ description: 'When a hold ends by itself.' }),
  metadata: metadataSchema,
  bookedAt: instantView,
});
export type TransferView = z.output<typeof transferView>;

/** The columns of a transfer, as its statements name them, and what came after it. */
export interface TransferRow {
  readonly id: string;
  readonly kind: PostingKind;
  readonly target_id: string | null;
  readonly debit_account_id: string;
  readonly credit_account_id: string;
  readonly asset: string;
  readonly amount: bigint;
  readonly debit_version: bigint;
  readonly credit_version: bigint;
  readonly effective_date: string;
  readonly expires_at: string | null;
  readonly metadata: Record<string, unknown>;
  readonly booked_at: string;
  /** What ended the hold or reversed the transfer. */
  readonly follower_id: string | null;
  readonly follower_kind: PostingKind | null;
}

const STATUSES = {
  transfer: 'posted',
  hold: 'pending',
  post: 'posted',
  void: 'voided',
  expiry: 'expired',
  reversal: 'posted',
} as const satisfies Readonly<Record<PostingKind, TransferView['status']>>;

/** The transfer as callers see it. */
export function showTransfer(row: TransferRow): TransferView {
  const isHold = row.kind === 'hold';
  return {
    id: row.id,
    kind: row.kind,
    status: STATUSES[(isHold && row.follower_kind) || row.kind],
    targetId: row.target_id,
    endedById: isHold ? row.follower_id : null,
    reversedById: isHold ? null : row.follower_id,
    debitAccountId: row.debit_account_id,
    creditAccountId: row.credit_account_id,
    asset: row.asset,
    amount: String(row.amount),
    debitVersion: String(row.debit_version),
    creditVersion: String(row.credit_version),
    effectiveDate: row.effective_date,
    expiresAt: row.expires_at,
    metadata: row.metadata,
    bookedAt: row.booked_at,
  };
}

/**
 * The transfer that a posting made, by this posting or an earlier one that asked for the same: without what became of it
 * since, so that an answer that is given again is the same.
 */
export function viewOf({ kind, targetId, metadata }: Posting, result: PostingResult): TransferView {
  const { debitAccountId, creditAccountId, asset, amount, effectiveDate, bookedAt } = result;
  if (!debitAccountId || !creditAccountId || !asset || !effectiveDate || !bookedAt)
    throw new Error('ledger.post_items left out what the transfer was given');
  return {
    id: result.id,
    kind,
    status: STATUSES[kind],
    targetId,
    endedById: null,
    reversedById: null,
    debitAccountId,
    creditAccountId,
    asset,
    amount: String(amount),
    debitVersion: String(result.debitVersion),
    creditVersion: String(result.creditVersion),
    effectiveDate,
    expiresAt: result.expiresAt,
    metadata: { ...metadata },
    bookedAt,
  };
}
