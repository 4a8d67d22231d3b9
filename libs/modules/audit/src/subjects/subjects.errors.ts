import { DomainError } from '@holdfast/kernel';

/** The person still takes part: without what is held of them they could not. */
export class SubjectInUse extends DomainError {
  readonly code = 'audit.subject_in_use';
  readonly kind = 'conflict';

  constructor() {
    super('This person is still a member, or invited. End that first.');
  }
}
