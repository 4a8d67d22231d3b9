import type { PolicyName } from '@holdfast/config';
import { DomainError } from '@holdfast/kernel';

/** Why a dependency counts as away: nothing is sent to it, too many wait for it, it took too long, or its caller's time was over. */
export type AwayReason = 'circuit_open' | 'bulkhead_full' | 'timeout' | 'given_up';

/** An outside dependency did not answer in time, or was not asked. Of a call that took too long it is unknown what it has done. */
export class DependencyAway extends DomainError {
  readonly code = 'resilience.dependency_away';
  readonly kind = 'unavailable';
  override readonly retryAfterSeconds = 1;

  constructor(
    readonly policy: PolicyName,
    readonly reason: AwayReason,
  ) {
    super('A system that this needs cannot be reached at the moment. Try again.');
  }
}

/** A drill lets the dependency fail. */
export class DrillFailure extends Error {
  override readonly name = 'DrillFailure';
}
