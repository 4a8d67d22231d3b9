import './payments.aggregates';

export { ClearingControls, findClearingBreaks } from './clearing-controls';
export { type AccountBreak, type ClearingBreak, listAccountBreaks } from './clearing.sql';
export { bankPayment, payThrough } from './bank/bank-payment.saga';
export { payment } from './payment.saga';
export { PaymentById } from './payment-by-id.query';
export { Payments } from './payments.query';
export { PaymentsModule } from './payments.module';
export { SendPayment } from './send-payment.command';
