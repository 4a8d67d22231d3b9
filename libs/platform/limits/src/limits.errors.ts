import { DomainError } from '@holdfast/kernel';
import type { LimitName } from './token-buckets';

/** Too many requests for now; the message says of whom. */
export class RateExceeded extends DomainError {
  readonly code = 'limits.rate_exceeded';
  readonly kind = 'too_many';

  constructor(
    readonly limit: LimitName,
    override readonly retryAfterSeconds: number,
  ) {
    super(`Too many requests ${OF[limit]}. Wait as long as Retry-After says.`);
  }
}

const OF: Readonly<Record<LimitName, string>> = {
  address: 'from this address',
  tenant: 'of this tenant',
  credential: 'with this credential',
};

/** As many requests of the tenant as its plan allows are under way, and none ended within a moment. */
export class ConcurrencyExceeded extends DomainError {
  readonly code = 'limits.concurrency_exceeded';
  readonly kind = 'too_many';
  override readonly retryAfterSeconds = 1;

  constructor() {
    super('Too many requests of this tenant are under way. Send fewer at a time.');
  }
}
