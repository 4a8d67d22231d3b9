import { assetSchema } from '@holdfast/kernel';
import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

/** Which total of an account may not pass the other, held after every transfer. */
export const limitRuleSchema = z.enum([
  'none',
  'debits_must_not_exceed_credits',
  'credits_must_not_exceed_debits',
]);

/** The side on which the account's balance is counted as positive. */
export const normalBalanceSchema = z.enum(['debit', 'credit']);

const digits = z.string().regex(/^[0-9]{1,19}$/);

/** An account was opened. Its code is left out: tenants put names of people into codes. */
export const accountOpened = eventType(
  'ledger.account.opened',
  1,
  z.strictObject({ asset: assetSchema, normalBalance: normalBalanceSchema, limit: limitRuleSchema }),
);

/**
 * A transfer was posted; its stream is the transfer. Amount and versions are decimal strings. `debitVersion` and
 * `creditVersion` are the versions that it left on its accounts, so that a consumer can order and count an account's
 * entries without reading them. Written by `ledger.post_batch` itself.
 */
export const transferPosted = eventType(
  'ledger.transfer.posted',
  1,
  z.strictObject({
    debitAccountId: z.guid(),
    creditAccountId: z.guid(),
    asset: assetSchema,
    amount: digits,
    debitVersion: digits,
    creditVersion: digits,
    bookedAt: z.iso.datetime(),
  }),
);
