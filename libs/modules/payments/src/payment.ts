import { amountSchema, assetSchema, idSchema } from '@holdfast/kernel';
import { z } from 'zod';
import { ibanSchema } from './bank/iban';

const EXAMPLE = { fromAccountId: '019e0000-0000-7000-8000-000000000001', amount: '1234', asset: 'EUR/2' };

/** What POST /v1/payments takes. */
export const sendPaymentInput = z
  .strictObject({
    fromAccountId: idSchema.meta({ description: 'Your account.' }),
    toTenantId: idSchema.nullish().meta({ description: 'Whom you pay; with `toAccountId`.' }),
    toAccountId: idSchema
      .nullish()
      .meta({ description: 'The account of theirs that they have named to you.' }),
    toIban: ibanSchema.nullish().meta({
      description: 'In place of both: an account at another bank, where there is one to pay through.',
    }),
    amount: amountSchema,
    asset: assetSchema,
  })
  .refine(
    ({ toTenantId, toAccountId, toIban }) =>
      toIban ? !toTenantId && !toAccountId : Boolean(toTenantId && toAccountId),
    { path: ['toIban'], error: 'Whom you pay is `toTenantId` with `toAccountId`, or `toIban` alone.' },
  )
  // Made up from its fields, one would name both.
  .meta({
    examples: [
      {
        ...EXAMPLE,
        toTenantId: '019e0000-0000-7000-8000-000000000002',
        toAccountId: '019e0000-0000-7000-8000-000000000003',
      },
      { ...EXAMPLE, toIban: 'DE89370400440532013000' },
    ],
  });
export type SendPaymentInput = z.output<typeof sendPaymentInput>;

/** How far a payment is, as its own side sees it. */
export const paymentStatusSchema = z
  .enum(['pending', 'completed', 'failed', 'compensated', 'needs_operator'])
  .meta({
    description:
      '`failed`: refused before anything was held. `compensated`: what was held is given back. `needs_operator`: goes on when the operator says so.',
  });

/** Which side of a payment one is. */
export const directionSchema = z.enum(['outgoing', 'incoming']).meta({
  description:
    'Which side of it you are. An incoming payment cannot be declined or returned as such: pay it back to an account that the payer names.',
});

const instant = z.string().meta({ description: 'RFC 3339, UTC.', examples: ['2026-11-27T17:28:19.123456Z'] });

/** A payment on the wire: one side's half of it. */
export const paymentView = z.object({
  id: z.guid().meta({ description: 'The same on both sides.' }),
  direction: directionSchema,
  status: paymentStatusSchema,
  code: z.string().nullable().meta({
    description:
      'Why it came to nothing, of an outgoing one. `payments.payee_refused` is all that the payer learns of the payee’s side.',
  }),
  fromTenantId: z.guid(),
  fromAccountId: z.guid().nullable().meta({ description: 'Of an incoming one null.' }),
  toTenantId: z.guid().nullable(),
  toAccountId: z.guid().nullable(),
  toIban: z
    .string()
    .nullable()
    .meta({
      description:
        'Of a payment to another bank, in place of the two. Once it has ended, only the country and the last four characters are kept.',
      examples: ['DE…3000'],
    }),
  amount: z.string().meta({ description: 'Minor units, as decimal digits.', examples: ['1234'] }),
  asset: assetSchema,
  holdId: z.guid().nullable().meta({ description: 'The hold in your ledger, once it is placed.' }),
  createdAt: instant,
  endedAt: instant.nullable(),
});
export type PaymentView = z.output<typeof paymentView>;

/** A side's row, with how far its saga is where the saga is its own. */
export interface PaymentRow {
  readonly id: string;
  readonly tenant_id: string;
  readonly direction: 'outgoing' | 'incoming';
  readonly counterparty_id: string | null;
  readonly account_id: string;
  readonly counterparty_account_id: string | null;
  readonly iban: string | null;
  readonly amount: bigint;
  readonly asset: string;
  readonly status: PaymentView['status'];
  readonly reason: string | null;
  readonly hold_id: string | null;
  readonly created_at: string;
  readonly ended_at: string | null;
}

/** The half as its side sees it. */
export function showPayment(row: PaymentRow): PaymentView {
  const isOutgoing = row.direction === 'outgoing';
  return {
    id: row.id,
    direction: row.direction,
    status: row.status,
    code: row.reason,
    fromTenantId: isOutgoing ? row.tenant_id : (row.counterparty_id ?? ''),
    fromAccountId: isOutgoing ? row.account_id : null,
    toTenantId: isOutgoing ? row.counterparty_id : row.tenant_id,
    toAccountId: isOutgoing ? row.counterparty_account_id : row.account_id,
    toIban: row.iban,
    amount: String(row.amount),
    asset: row.asset,
    holdId: row.hold_id,
    createdAt: row.created_at,
    endedAt: row.ended_at,
  };
}
