import { DomainError } from '@holdfast/kernel';

/** The tenant's log has this witness already, of its own or by the operator. */
export class WitnessExists extends DomainError {
  readonly code = 'audit.witness_exists';
  readonly kind = 'conflict';

  constructor() {
    super('A witness with this key cosigns the log already.');
  }
}

/** The tenant has as many witnesses as it may. */
export class TooManyWitnesses extends DomainError {
  readonly code = 'audit.too_many_witnesses';
  readonly kind = 'refused';

  constructor(max: number) {
    super(`A tenant has at most ${max} witnesses of its own. Remove one first.`);
  }
}
