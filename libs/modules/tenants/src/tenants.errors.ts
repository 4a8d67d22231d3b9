import { DomainError } from '@holdfast/kernel';

/** Another tenant has this slug. Only the operator can meet this, who sees all tenants anyway. */
export class SlugTaken extends DomainError {
  readonly code = 'tenants.slug_taken';
  readonly kind = 'conflict';

  constructor() {
    super('Another tenant has this slug. Choose a different one.');
  }
}
