import { DomainError } from '@holdfast/kernel';

/** There is nothing to release: the key is not parked, or is being tried again by itself. */
export class NotQuarantined extends DomainError {
  readonly code = 'events.not_quarantined';
  readonly kind = 'conflict';

  constructor() {
    super('No such key is quarantined in this group for this tenant.');
  }
}
