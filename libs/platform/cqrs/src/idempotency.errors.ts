import { DomainError, type ErrorKind, type InputFault } from '@holdfast/kernel';

/** The key was used before for a request with another body. */
export class IdempotencyKeyReused extends DomainError {
  readonly code = 'idempotency.key_reused';
  readonly kind = 'refused';

  constructor() {
    super('This idempotency key belongs to a request with another body. Choose a new key.');
  }
}

/** A request with the same key is being worked on right now. */
export class IdempotencyInFlight extends DomainError {
  readonly code = 'idempotency.in_flight';
  readonly kind = 'conflict';
  override readonly retryAfterSeconds = 1;

  constructor() {
    super('A request with this idempotency key is being worked on. Repeat it in a moment for its answer.');
  }
}

/** The refusal that an earlier request with the same key was given. */
export class StoredRefusal extends DomainError {
  readonly code: string;
  readonly kind: ErrorKind;
  override readonly errors: readonly InputFault[];

  constructor(stored: {
    readonly code: string;
    readonly kind: ErrorKind;
    readonly message: string;
    readonly errors: readonly InputFault[];
  }) {
    super(stored.message);
    this.code = stored.code;
    this.kind = stored.kind;
    this.errors = stored.errors;
  }
}
