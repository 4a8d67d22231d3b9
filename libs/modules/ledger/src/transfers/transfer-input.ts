import { amountSchema, idSchema } from '@holdfast/kernel';
import { z } from 'zod';
import { effectiveDateSchema, metadataSchema } from '../ledger-values';

/** A year. Money that is to be kept for longer has an account of its own. */
const TIMEOUT_SECONDS_MAX = 31_536_000;

/** Items of one request at most: with ids, accounts and amounts they fit its body of 4 MiB. */
const ITEMS_MAX = 8_000;

/** Items of one chain at most: it is posted in one batch, whose locks nobody else should wait for much longer. */
const CHAIN_MAX = 2_000;

/** Written in one way only, because repeated requests are compared: no "-0", "007" or "+1". */
const BALANCE = /^(?:0|-?[1-9][0-9]{0,18})$/;
const BALANCE_MAX = 9_223_372_036_854_775_807n;

const balanceSchema = z
  .string()
  .regex(BALANCE, 'A balance is a whole number of minor units, in decimal digits.')
  .refine(isCountable, 'A balance lies between -(2^63-1) and 2^63-1.')
  .meta({ description: 'Minor units, as decimal digits with or without a minus.', examples: ['-1000000'] });

/** What is to be free on the accounts afterwards at least, by their normal balances and less what is held. */
export const minBalanceAfterInput = z.strictObject({
  debit: balanceSchema.nullish(),
  credit: balanceSchema.nullish(),
});

const wanted = {
  debitAccountId: idSchema,
  creditAccountId: idSchema,
  amount: amountSchema,
  pending: z
    .boolean()
    .default(false)
    .meta({ description: 'Whether the amount is only held, until the hold is posted, voided or expires.' }),
  timeoutSeconds: z
    .int()
    .min(1)
    .max(TIMEOUT_SECONDS_MAX)
    .nullable()
    .default(null)
    .meta({ description: 'After how long a hold ends by itself; null: never.' }),
  balancing: z
    .enum(['none', 'debit', 'credit', 'both'])
    .nullish()
    .meta({
      description:
        'Otherwise than "none": at most the amount, and as much as the credits of the debited account ("debit"), ' +
        'the debits of the credited one ("credit") or either ("both") leave free.',
    }),
  minBalanceAfter: minBalanceAfterInput
    .nullish()
    .meta({ description: 'Refused where less than this would be free on the accounts afterwards.' }),
  effectiveDate: effectiveDateSchema.nullish(),
  metadata: metadataSchema.default({}),
};

const timeoutOfHold = { path: ['timeoutSeconds'], error: 'Only a pending transfer has a timeout.' };

/** What it takes to post a transfer, or to place a hold. */
export const postTransferInput = z
  .strictObject({ id: idSchema.optional(), ...wanted })
  .refine(hasTimeoutOnlyAsHold, timeoutOfHold);
export type PostTransferInput = z.output<typeof postTransferInput>;

/** What it takes to post a hold; without an amount all of it. What is left is given back. */
export const postHoldInput = z.strictObject({
  id: idSchema.optional(),
  amount: amountSchema.nullish(),
  metadata: metadataSchema.default({}),
});
export type PostHoldInput = z.output<typeof postHoldInput>;

/** What it takes to give a hold back. */
export const voidHoldInput = z.strictObject({
  id: idSchema.optional(),
  metadata: metadataSchema.default({}),
});
export type VoidHoldInput = z.output<typeof voidHoldInput>;

/** What it takes to make a posted transfer the other way round. */
export const reverseTransferInput = z.strictObject({
  id: idSchema.optional(),
  effectiveDate: effectiveDateSchema.nullish(),
  metadata: metadataSchema.default({}),
});
export type ReverseTransferInput = z.output<typeof reverseTransferInput>;

/** What items have beside that: the client's id, and whether the next one takes effect with them or not at all. */
const item = { id: idSchema, linked: z.boolean().default(false) };
const follower = { ...item, targetId: idSchema };
const itemInput = z.discriminatedUnion('kind', [
  z
    .strictObject({ kind: z.literal('transfer').optional(), ...wanted, ...item })
    .refine(hasTimeoutOnlyAsHold, timeoutOfHold),
  z.strictObject({ kind: z.literal('post'), ...postHoldInput.shape, ...follower }),
  z.strictObject({ kind: z.literal('void'), ...voidHoldInput.shape, ...follower }),
  z.strictObject({ kind: z.literal('reversal'), ...reverseTransferInput.shape, ...follower }),
]);
export type ItemInput = z.output<typeof itemInput>;

/** An item as it is written: amounts are decimal strings, and what has a default may be left out. */
export type WrittenItem = z.input<typeof itemInput>;

/** Transfers to post in their order. The item ids are the idempotency. */
export const postTransfersInput = z
  .strictObject({ items: z.array(itemInput).min(1).max(ITEMS_MAX) })
  .superRefine(({ items }, context) => {
    for (const { index, message } of faultsOfChains(items))
      context.addIssue({ code: 'custom', path: ['items', index, 'linked'], message });
  });
export type PostTransfersInput = z.output<typeof postTransfersInput>;

/** A chain is every item up to the first that is not linked. */
function* faultsOfChains(
  items: readonly { readonly linked: boolean }[],
): Generator<{ readonly index: number; readonly message: string }> {
  let length = 0;
  for (const [index, { linked }] of items.entries()) {
    length += 1;
    if (length === CHAIN_MAX + 1) yield { index, message: `A chain has at most ${CHAIN_MAX} items.` };
    if (!linked) length = 0;
  }
  if (length > 0)
    yield { index: items.length - 1, message: 'The last item has no next one to be linked with.' };
}

function hasTimeoutOnlyAsHold(input: {
  readonly pending: boolean;
  readonly timeoutSeconds: number | null;
}): boolean {
  return input.pending || input.timeoutSeconds === null;
}

function isCountable(digits: string): boolean {
  if (!BALANCE.test(digits)) return true; // Refused for that already.
  const balance = BigInt(digits);
  return balance <= BALANCE_MAX && balance >= -BALANCE_MAX;
}
