import { DomainError } from '@holdfast/kernel';

/** The saga has ended: nothing can be done with it any more. */
export class SagaEnded extends DomainError {
  readonly code = 'sagas.ended';
  readonly kind = 'conflict';

  constructor() {
    super('The saga has ended.');
  }
}

/** The saga is behind its pivot, or on its way back: it is finished in the direction in which it goes. */
export class SagaCommitted extends DomainError {
  readonly code = 'sagas.committed';
  readonly kind = 'conflict';

  constructor() {
    super('The saga is beyond the point up to which it can be given up.');
  }
}

/** Nobody is asked for: the saga goes on by itself. */
export class SagaNotStopped extends DomainError {
  readonly code = 'sagas.not_stopped';
  readonly kind = 'conflict';

  constructor() {
    super('The saga is not waiting for an operator.');
  }
}

/** The step at which the saga has stopped is in the database, which tells what became of it: nobody settles that by hand. */
export class StepNotOutside extends DomainError {
  readonly code = 'sagas.step_not_outside';
  readonly kind = 'conflict';

  constructor() {
    super('The saga has not stopped at a step outside of the database.');
  }
}

/** A step is settled as done or refused on the way forward, and as compensated on the way back. */
export class SettledOtherwise extends DomainError {
  readonly code = 'sagas.other_direction';
  readonly kind = 'conflict';

  constructor() {
    super('The saga goes in the other direction.');
  }
}

/** This release has no definition of the saga; a process of the release that has it can go on with it. */
export class SagaUnknown extends DomainError {
  readonly code = 'sagas.unknown_definition';
  readonly kind = 'conflict';

  constructor() {
    super('The saga was begun under a definition that this release does not have.');
  }
}

/**
 * The other tenant takes no part: it is gone, or a step there refuses. It is all that the tenant that began the saga is told; what a step
 * has refused with is the cause.
 */
export class ParticipantRefused extends DomainError {
  readonly code = 'sagas.participant_refused';
  readonly kind = 'refused';

  constructor(options?: ErrorOptions) {
    super('The other tenant takes no part in it.', options);
  }
}
