import { statement } from '@holdfast/database';
import { aggregate, type AggregateRow } from '@holdfast/tenancy';
import {
  bankPaymentRequested,
  paymentAccepted,
  paymentCompensated,
  paymentCompleted,
  paymentDecided,
  paymentFailed,
  paymentRequested,
  paymentSent,
} from './payments.events';

interface FoldedPayment {
  readonly direction: string;
  readonly counterpartyId: string | null;
  readonly accountId: string;
  readonly asset: string;
  readonly amount: string;
  readonly status: string;
  readonly reason: string | null;
}

// A payment to another bank is its saga, whose step `request` announces it; those of before that step have no events here.
export const foldedPayments = aggregate<FoldedPayment>('payments.payment', {
  rows: statement<AggregateRow<FoldedPayment>>(
    'payments.list_folded',
    `select id, version as "streamVersion", direction, counterparty_id as "counterpartyId", account_id as "accountId", asset,
       amount::text as amount, status, reason
     from payments.payments
     where tenant_id = $1 and id > $2
     union all
     select id, case state when 'completed' then 3 when 'compensated' then 2 else 1 end::bigint, 'outgoing', null,
       (input ->> 'fromAccountId')::uuid, input ->> 'asset', input ->> 'amount',
       case when state = 'completed' then state
         when state = 'compensated' then case when results ? 'hold' then state else 'failed' end
         else 'pending' end,
       case state when 'compensated' then reason end
     from sagas.sagas
     where tenant_id = $1 and name = 'payments.bank_payment' and results ? 'request' and id > $2
     order by id
     limit $3`,
  ),
  on: (on) => [
    on(paymentRequested, ({ toTenantId, fromAccountId, asset, amount }) => ({
      ...{ direction: 'outgoing', counterpartyId: toTenantId, accountId: fromAccountId },
      ...{ asset, amount, status: 'pending', reason: null },
    })),
    on(bankPaymentRequested, ({ fromAccountId, asset, amount }) => ({
      ...{ direction: 'outgoing', counterpartyId: null, accountId: fromAccountId },
      ...{ asset, amount, status: 'pending', reason: null },
    })),
    on(paymentAccepted, ({ fromTenantId, toAccountId, asset, amount }) => ({
      ...{ direction: 'incoming', counterpartyId: fromTenantId, accountId: toAccountId },
      ...{ asset, amount, status: 'pending', reason: null },
    })),
    on(paymentDecided, () => ({})),
    on(paymentSent, () => ({})),
    on(paymentCompleted, () => ({ status: 'completed' })),
    on(paymentFailed, ({ code }) => ({ status: 'failed', reason: code })),
    on(paymentCompensated, ({ code }) => ({ status: 'compensated', reason: code })),
  ],
});
