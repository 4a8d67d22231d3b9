export { Bulkhead, type Release } from './bulkhead';
export { addressKey } from './client-address';
export { Costs } from './costs';
export { Limits, type LimitsOptions, type Quota, type RequestLimits } from './limits';
export { ConcurrencyExceeded, RateExceeded } from './limits.errors';
export { ResilienceModule } from './resilience.module';
export { type BucketShape } from './token-bucket';
export { type LimitName } from './token-buckets';
