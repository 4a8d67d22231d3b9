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
