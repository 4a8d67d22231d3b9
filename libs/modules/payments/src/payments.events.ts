import { assetSchema } from '@holdfast/kernel';
import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

const amount = z.string().regex(/^[1-9][0-9]{0,18}$/);

/** Of the payer: a payment to another tenant was asked for. */
export const paymentRequested = eventType('payments.payment.requested', {
  version: 1,
  description: 'A payment to an account of another tenant was asked for. Nothing has moved yet.',
  schema: z.object({
    fromAccountId: z.guid(),
    toTenantId: z.guid(),
    toAccountId: z.guid(),
    asset: assetSchema,
    amount,
  }),
  example: {
    fromAccountId: '019a0000-0000-7000-8000-000000000001',
    toTenantId: '019a0000-0000-7000-8000-000000000002',
    toAccountId: '019a0000-0000-7000-8000-000000000003',
    asset: 'EUR/2',
    amount: '1234',
  },
});

/** Of the payer: a payment to another bank was asked for. */
export const bankPaymentRequested = eventType('payments.payment.bank_requested', {
  version: 1,
  description: 'A payment to an account at another bank was asked for. Nothing has moved yet.',
  schema: z.object({
    fromAccountId: z.guid(),
    toIban: z.string().meta({ description: 'Its country and its last four characters.' }),
    asset: assetSchema,
    amount,
  }),
  example: {
    fromAccountId: '019a0000-0000-7000-8000-000000000001',
    toIban: 'DE…3000',
    asset: 'EUR/2',
    amount: '1234',
  },
});

/** Of the payer: both halves are held, and from here on the payment is finished whatever happens. */
export const paymentDecided = eventType('payments.payment.decided', {
  version: 1,
  description: 'Both halves of the payment are held: it will be completed, and cannot be given up any more.',
  schema: z.object({}),
  example: {},
});

/** Of the payer: its half is posted. */
export const paymentSent = eventType('payments.payment.sent', {
  version: 1,
  description:
    'The amount has left the account of the payer; the payee has it in a moment. A payment to another bank is paid by the bank.',
  schema: z.object({}),
  example: {},
});

/** Of the payee: a payment is on its way. */
export const paymentAccepted = eventType('payments.payment.accepted', {
  version: 1,
  description: 'A payment from another tenant is on its way: its amount is pending on the account.',
  schema: z.object({ fromTenantId: z.guid(), toAccountId: z.guid(), asset: assetSchema, amount }),
  example: {
    fromTenantId: '019a0000-0000-7000-8000-000000000004',
    toAccountId: '019a0000-0000-7000-8000-000000000003',
    asset: 'EUR/2',
    amount: '1234',
  },
});

/** Of either side: the payment is made. */
export const paymentCompleted = eventType('payments.payment.completed', {
  version: 1,
  description:
    'The payment is made: the amount is posted in the books of both tenants, or in those of the payer and paid by the bank.',
  schema: z.object({}),
  example: {},
});

const code = z
  .string()
  .nullable()
  .meta({ description: 'Why; stable. The payee is not told why the payer has given it up.' });

/** Of the payer: nothing was held. */
export const paymentFailed = eventType('payments.payment.failed', {
  version: 1,
  description: 'The payment was refused before anything of it was held.',
  schema: z.object({ code }),
  example: { code: 'ledger.exceeds_credits' },
});

/** Of either side: what was held is given back. */
export const paymentCompensated = eventType('payments.payment.compensated', {
  version: 1,
  description: 'The payment has come to nothing: what was held for it is given back.',
  schema: z.object({ code }),
  example: { code: 'payments.payee_refused' },
});
