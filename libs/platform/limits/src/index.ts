export { addressKey } from './client-address';
export { Costs } from './costs';
export { givePermitBack } from './limit-requests';
export { Limits, type LimitsOptions, type Quota } from './limits';
export { ConcurrencyExceeded, RateExceeded } from './limits.errors';
export { LimitsModule } from './limits.module';
