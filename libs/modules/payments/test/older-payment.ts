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
  .pivot('decide', {
    run: async (tx, { sagaId }) => {
      await decide(tx, sagaId);
      await postForPayer(tx, sagaId);
    },
  })
  .retriable('post_for_payee', {
    tenant: payee,
    run: (tx, { sagaId, tenantId }) => postForPayee(tx, sagaId, tenantId),
  })
  .retriable('complete', { run: (tx, { sagaId }) => complete(tx, sagaId) })
  .build();
