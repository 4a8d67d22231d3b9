import { DomainError } from '@holdfast/kernel';

/** The telemetry store does not answer, or not in time. Nothing that has to be right depends on it. */
export class TelemetryUnavailable extends DomainError {
  readonly code = 'telemetry.unavailable';
  readonly kind = 'unavailable';
  override readonly retryAfterSeconds = 2;

  constructor(override readonly cause: unknown) {
    super('The telemetry store cannot be reached. Events are kept and will appear in it later.');
  }
}

/** The range of a series has more points than one answer carries. */
export class RangeTooLong extends DomainError {
  readonly code = 'telemetry.range_too_long';
  readonly kind = 'refused';

  constructor(pointsMax: number) {
    super(`A series has at most ${pointsMax} points: shorten the range or choose a longer interval.`);
  }
}

/** The range of a series ends before it begins. */
export class RangeInverted extends DomainError {
  readonly code = 'telemetry.range_inverted';
  readonly kind = 'refused';

  constructor() {
    super('The range ends before it begins.');
  }
}
