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

/** Announced when an account is opened. */
export const accountOpened = eventType('ledger.account.opened', {
  version: 1,
  description: 'An account was opened. Its code is left out: tenants put names of people into codes.',
  schema: z.strictObject({ asset: assetSchema, normalBalance: normalBalanceSchema, limit: limitRuleSchema }),
  example: { asset: 'EUR/2', normalBalance: 'credit', limit: 'debits_must_not_exceed_credits' },
});

/** Written by `ledger.post_batch` itself; a test holds what it writes to the schema. */
export const transferPosted = eventType('ledger.transfer.posted', {
  version: 1,
  description:
    'A transfer was posted; its stream is the transfer. Amount and versions are decimal strings. ' +
    '`debitVersion` and `creditVersion` are the versions that it left on its accounts, so that a ' +
    'consumer can order and count an account’s entries without reading them.',
  schema: z.strictObject({
    debitAccountId: z.guid(),
    creditAccountId: z.guid(),
    asset: assetSchema,
    amount: digits,
    debitVersion: digits,
    creditVersion: digits,
    bookedAt: z.iso.datetime(),
  }),
  example: {
    debitAccountId: '019a0000-0000-7000-8000-000000000001',
    creditAccountId: '019a0000-0000-7000-8000-000000000002',
    asset: 'EUR/2',
    amount: '1234',
    debitVersion: '7',
    creditVersion: '12',
    bookedAt: '2026-11-26T12:00:00.123456Z',
  },
});
