import { amountSchema, idSchema } from '@holdfast/kernel';
import { z } from 'zod';
import { digitsView, instantView, metadataSchema } from '../ledger-values';

/** Holds are not there yet: the fields are, and take the one value that asks for none. */
const pendingSchema = z
  .boolean()
  .default(false)
  .refine((pending) => !pending, 'Pending transfers are not available.');
const timeoutSchema = z
  .int()
  .nullable()
  .default(null)
  .refine((seconds) => seconds === null, 'A timeout needs a pending transfer.');

const linkedSchema = z
  .boolean()
  .default(false)
  .refine((linked) => !linked, 'Linked transfers are not available.');

/** What it takes to post a transfer. */
export const postTransferInput = z.strictObject({
  id: idSchema.optional(),
  debitAccountId: idSchema,
  creditAccountId: idSchema,
  amount: amountSchema,
  pending: pendingSchema,
  timeoutSeconds: timeoutSchema,
  metadata: metadataSchema.default({}),
});
export type PostTransferInput = z.output<typeof postTransferInput>;

/** Items of one request at most: with ids, accounts and amounts they fit its body of 4 MiB. */
const ITEMS_MAX = 8_000;

/** Transfers to post in their order. The item ids are the idempotency. */
export const postTransfersInput = z.strictObject({
  items: z
    .array(postTransferInput.extend({ id: idSchema, linked: linkedSchema }))
    .min(1)
    .max(ITEMS_MAX),
});
export type PostTransfersInput = z.output<typeof postTransfersInput>;

/** What came of each item: `created`, `exists`, or the code of its refusal. */
export const postedItemsView = z.object({ results: z.array(z.object({ id: z.guid(), result: z.string() })) });
export type PostedItemsView = z.output<typeof postedItemsView>;

/** A transfer on the wire. The versions are those that it left on its accounts. */
export const transferView = z.object({
  id: z.guid(),
  status: z.enum(['posted', 'pending']),
  debitAccountId: z.guid(),
  creditAccountId: z.guid(),
  asset: z.string(),
  amount: digitsView,
  debitVersion: digitsView,
  creditVersion: digitsView,
  metadata: metadataSchema,
  bookedAt: instantView,
});
export type TransferView = z.output<typeof transferView>;

/** The columns of a transfer, as its statements name them. */
export interface TransferRow {
  readonly id: string;
  readonly debit_account_id: string;
  readonly credit_account_id: string;
  readonly asset: string;
  readonly amount: bigint;
  readonly debit_version: bigint;
  readonly credit_version: bigint;
  readonly metadata: Record<string, unknown>;
  readonly booked_at: string;
}

/** The transfer as callers see it. */
export function showTransfer(row: TransferRow): TransferView {
  return {
    id: row.id,
    status: 'posted',
    debitAccountId: row.debit_account_id,
    creditAccountId: row.credit_account_id,
    asset: row.asset,
    amount: String(row.amount),
    debitVersion: String(row.debit_version),
    creditVersion: String(row.credit_version),
    metadata: row.metadata,
    bookedAt: row.booked_at,
  };
}
