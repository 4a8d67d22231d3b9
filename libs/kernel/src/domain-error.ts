import type { Scope } from './permissions';

/** What sort of refusal an error is; the transport maps it to a status once. */
export type ErrorKind =
  | 'malformed'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'gone'
  | 'precondition_failed'
  | 'precondition_required'
  | 'too_large'
  | 'unsupported'
  | 'refused'
  | 'too_many'
  | 'unavailable';

/** One fault of an input: where (JSON Pointer, RFC 6901), a stable code, and a sentence without the value. */
export interface InputFault {
  readonly pointer: string;
  readonly code: string;
  readonly message: string;
}

/**
 * A refusal that a caller is meant to see. `code` is stable and of the form `area.reason`; `message` is a sentence for
 * people and never contains a value of the input or a text of the database.
 */
export abstract class DomainError extends Error {
  abstract readonly code: string;
  abstract readonly kind: ErrorKind;
  /** Faults of the input, when the refusal is about the input. */
  readonly errors: readonly InputFault[] = [];
  /** When it is worth trying again, for `unavailable` and `too_many`. */
  readonly retryAfterSeconds: number | undefined = undefined;

  override get name(): string {
    return this.constructor.name;
  }
}

/** The input does not have the shape that the operation takes. */
export class InvalidInput extends DomainError {
  readonly code = 'request.invalid';
  readonly kind = 'refused';

  constructor(override readonly errors: readonly InputFault[]) {
    super('The request has fields that are missing, unknown or wrong.');
  }

  /** The same faults, of a value that stands at `/name`. */
  under(name: string): InvalidInput {
    return new InvalidInput(this.errors.map((fault) => ({ ...fault, pointer: `/${name}${fault.pointer}` })));
  }
}

/** No such object for this tenant: the same answer whether the id is unknown or another tenant's. */
export class NotFound extends DomainError {
  readonly code = 'resource.not_found';
  readonly kind = 'not_found';

  constructor() {
    super('There is no such object.');
  }
}

/** The credential is good and does not hold the scope. */
export class Forbidden extends DomainError {
  readonly code = 'auth.forbidden';
  readonly kind = 'forbidden';

  constructor(scope: Scope) {
    super(`This needs the scope ${scope}.`);
  }
}

/** Another writer got there first. */
export class Conflict extends DomainError {
  readonly code = 'resource.conflict';
  readonly kind = 'conflict';

  constructor() {
    super('The object was changed by another request at the same time. Read it again and decide anew.');
  }
}

/** The object is no longer at the version that the caller has read: what they mean to change is not what is there. */
export class VersionMismatch extends DomainError {
  readonly code = 'resource.version_mismatch';
  readonly kind = 'precondition_failed';

  constructor() {
    super('The object has changed since you read it. Read it again and decide anew.');
  }
}
