import { statement } from '@holdfast/database';
import { aggregate, type AggregateRow } from '@holdfast/tenancy';
import {
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
  readonly counterpartyId: string;
  readonly accountId: string;
  readonly asset: string;
  readonly amount: string;
  readonly status: string;
  readonly reason: string | null;
}

aggregate<FoldedPayment>('payments.payment', {
  rows: statement<AggregateRow<FoldedPayment>>(
    'payments.list_folded',
    `select id, version as "streamVersion", direction, counterparty_id as "counterpartyId", account_id as "accountId", asset,
       amount::text as amount, status, reason
     from payments.payments
     where tenant_id = $1 and id > $2
     order by id
     limit $3`,
  ),
  on: (on) => [
    on(paymentRequested, ({ toTenantId, fromAccountId, asset, amount }) => ({
      ...{ direction: 'outgoing', counterpartyId: toTenantId, accountId: fromAccountId },
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
