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
} from '../src/payment-legs';

const payee = ({ toTenantId }: PaymentInput): string => toTenantId;

/** A payment as another release might have it: it decides and posts in one step. */
export const olderPayment = saga({ name: 'payments.payment', input: paymentInput, revision: 2 })
  .compensatable('request', {
    run: (tx, { sagaId, input }) => request(tx, { paymentId: sagaId, input }),
    compensate: (tx, { sagaId, reason }) => giveUp(tx, sagaId, reason),
  })
  .compensatable('hold', {
    run: (tx, { sagaId, input, key }) => holdForPayer(tx, { paymentId: sagaId, input }, key),
    compensate: (tx, { sagaId }) => voidForPayer(tx, sagaId),
  })
  .compensatable('hold_for_payee', {
    tenant: payee,
    run: (tx, { sagaId, tenantId, input, results, key }) =>
      holdForPayee(tx, { paymentId: sagaId, input }, { tenantId, side: results.hold.side }, key),
    compensate: (tx, { sagaId }) => voidForPayee(tx, sagaId),
  })
  .pivot('decide', {
    run: async (tx, { sagaId, key }) => {
      await decide(tx, sagaId);
      await postForPayer(tx, sagaId, key);
    },
  })
  .retriable('post_for_payee', {
    tenant: payee,
    run: (tx, { sagaId, key }) => postForPayee(tx, sagaId, key),
  })
  .retriable('complete', { run: (tx, { sagaId }) => complete(tx, sagaId) })
  .build();
