import { DomainError } from '@holdfast/kernel';

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

/** This installation has no key to sign write keys with. */
export class WriteKeysNotConfigured extends DomainError {
  readonly code = 'telemetry.not_configured';
  readonly kind = 'refused';

  constructor() {
    super('This installation makes no write keys: its operator has set no WRITE_KEY_PRIVATE.');
  }
}

/** The range of a query that reads single events is longer than one may be. */
export class RangeTooWide extends DomainError {
  readonly code = 'telemetry.range_too_long';
  readonly kind = 'refused';

  constructor(daysMax: number) {
    super(`The range of this query has at most ${daysMax} days.`);
  }
}
