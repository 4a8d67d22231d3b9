import { DomainError } from '@holdfast/kernel';

/** The tenant has as many open streams in this process as it may. */
export class TooManyStreams extends DomainError {
  readonly code = 'events.too_many_streams';
  readonly kind = 'too_many';
  override readonly retryAfterSeconds = 10;

  constructor(max: number) {
    super(`${max} streams of this tenant are open here. Close one, or filter one where you have several.`);
  }
}

/** The process has as many open streams as it can serve, or is about to stop. Another one takes them. */
export class StreamsUnavailable extends DomainError {
  readonly code = 'events.streams_unavailable';
  readonly kind = 'unavailable';
  override readonly retryAfterSeconds = 1;

  constructor() {
    super('No more streams are opened here for now. Connect again: your cursor is good anywhere.');
  }
}

/** The cursor is of another database than the log is in now: it was restored, or a standby took over. */
export class LogChanged extends DomainError {
  readonly code = 'events.log_changed';
  readonly kind = 'conflict';

  constructor() {
    super(
      'The event log was restored, or moved to another server, after this cursor was handed out. Begin anew with from=beginning or from=now; events that you have already have the same ids.',
    );
  }
}

/** The client has not read for so long that what it has not been sent would pile up. */
export class ReaderTooSlow extends DomainError {
  readonly code = 'events.reader_too_slow';
  readonly kind = 'too_many';

  constructor() {
    super('The stream was not read for too long. Connect again with the last cursor that you have.');
  }
}
