import { DomainError } from '@holdfast/kernel';

/** More events make up the state than are folded for one answer. */
export class TooManyEvents extends DomainError {
  readonly code = 'audit.too_many_events';
  readonly kind = 'refused';

  constructor(max: number) {
    super(
      `More than ${max} events make up this state. Ask the module whose it is: an account has its balances at any instant.`,
    );
  }
}

/** The retention has removed the first of the events that make up the state. */
export class StatePruned extends DomainError {
  readonly code = 'audit.state_pruned';
  readonly kind = 'refused';

  constructor() {
    super('The state cannot be folded: the retention has removed the first of the events that make it up.');
  }
}

/** Events on such a stream change no state of their own. */
export class NoState extends DomainError {
  readonly code = 'audit.no_state';
  readonly kind = 'refused';

  constructor() {
    super('Events on such a stream are facts: they change no state.');
  }
}

/** An event of the stream is of a later release, or does not have the shape of its type. */
export class StateNotFoldable extends DomainError {
  readonly code = 'audit.not_foldable';
  readonly kind = 'refused';

  constructor(override readonly cause: unknown) {
    super('An event of the stream does not have the shape of its type, or the first events of it are gone.');
  }
}
