import './payments.aggregates';

export { payment } from './payment.saga';
