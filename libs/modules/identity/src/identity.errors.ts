import { DomainError } from '@holdfast/kernel';

/** There is no credential, or it is unknown, revoked or expired: one answer for all, so that it tells nothing. */
export class Unauthenticated extends DomainError {
  readonly code = 'auth.invalid_credential';
  readonly kind = 'unauthenticated';

  constructor() {
    super('Send a valid credential: Authorization: Bearer <API key>.');
  }
}

/** Somebody wants to give a key more than they hold themselves. */
export class ScopeNotHeld extends DomainError {
  readonly code = 'identity.scope_not_held';
  readonly kind = 'forbidden';

  constructor() {
    super('A key cannot be given a scope that its maker does not hold.');
  }
}
