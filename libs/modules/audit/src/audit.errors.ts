import { DomainError } from '@holdfast/kernel';

/** The stream has more versions than are folded for one answer. */
export class StreamTooLong extends DomainError {
  readonly code = 'audit.stream_too_long';
  readonly kind = 'refused';

  constructor() {
    super(
      'This stream has more than 10,000 versions, which no answer is folded from. Read its events, or its state at an instant.',
    );
  }
}

/** As many requests wait for the feed as may. */
export class TooManyFollowers extends DomainError {
  readonly code = 'audit.too_many_followers';
  readonly kind = 'too_many';
  override readonly retryAfterSeconds = 10;

  constructor() {
    super('Too many requests wait for the feed here. Wait with fewer, or ask without `wait`.');
  }
}
