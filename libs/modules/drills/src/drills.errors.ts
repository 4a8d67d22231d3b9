import { DomainError } from '@holdfast/kernel';

/** In production a drill is an outage: who begins one says so twice. */
export class DrillNotConfirmed extends DomainError {
  readonly code = 'drills.not_confirmed';
  readonly kind = 'refused';

  constructor() {
    super(
      'This is production. A drill fails requests of tenants: send `confirm` with the name of the policy to begin it.',
    );
  }
}
