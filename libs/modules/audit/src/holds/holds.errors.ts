import { DomainError } from '@holdfast/kernel';

/** A legal hold keeps what was asked to go. */
export class UnderLegalHold extends DomainError {
  readonly code = 'audit.legal_hold';
  readonly kind = 'conflict';

  constructor() {
    super('A legal hold stands in the way. Lift it first.');
  }
}

/** What the hold is to keep is being erased already. */
export class ErasureUnderWay extends DomainError {
  readonly code = 'audit.erasure_under_way';
  readonly kind = 'conflict';

  constructor() {
    super('An erasure that the hold would stop has begun. Wait until it has ended.');
  }
}

/** The hold was lifted before. */
export class LegalHoldLifted extends DomainError {
  readonly code = 'audit.legal_hold_lifted';
  readonly kind = 'conflict';

  constructor() {
    super('This legal hold has been lifted.');
  }
}
