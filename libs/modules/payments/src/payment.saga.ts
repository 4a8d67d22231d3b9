import { saga } from '@holdfast/sagas';
import {
  complete,
  decide,
  giveUp,
  holdForPayee,
  holdForPayer,
  type PaymentInput,
  paymentInput,
  postForPayee,
  postForPayer,
  request,
  voidForPayee,
  voidForPayer,
} from './payment-legs';

const payee = ({ toTenantId }: PaymentInput): string => toTenantId;

/**
 * A payment between two tenants. Row-level security forbids a transaction of both, so each half is held in the books of its own tenant
 * first: what is held can be refused by nobody any more, and then the payer's tenant decides. Its id is the payment's on both sides. Steps
 * that lock nothing but its own row share transactions with those of the payer's other payments.
 */
export const payment = saga({ name: 'payments.payment', input: paymentInput })
  .compensatable('request', {
    sharesTransaction: true,
    // Who asks for a payment over the API has its row at once.
    mayBeDoneBefore: true,
    run: (tx, { sagaId, input }) => request(tx, { paymentId: sagaId, input }),
    compensate: giveUp,
  })
  .compensatable('hold', {
    run: (tx, { sagaId, input }) => holdForPayer(tx, { paymentId: sagaId, input }),
    compensate: (tx, { sagaId }) => voidForPayer(tx, sagaId),
  })
  .compensatable('hold_for_payee', {
    tenant: payee,
    run: (tx, { sagaId, tenantId, input, results }) =>
      holdForPayee(tx, { paymentId: sagaId, input }, { tenantId, side: results.hold.side }),
    compensate: (tx, { sagaId, tenantId }) => voidForPayee(tx, sagaId, tenantId),
  })
  .pivot('decide', { sharesTransaction: true, run: (tx, { sagaId }) => decide(tx, sagaId) })
  .retriable('post', { run: (tx, { sagaId }) => postForPayer(tx, sagaId) })
  .retriable('post_for_payee', {
    tenant: payee,
    run: (tx, { sagaId, tenantId }) => postForPayee(tx, sagaId, tenantId),
  })
  .retriable('complete', { sharesTransaction: true, run: (tx, { sagaId }) => complete(tx, sagaId) })
  .build();
