import { DomainError } from '@holdfast/kernel';

/** There is no credential, or it is unknown, revoked or expired: one answer for all, so that it tells nothing. */
export class Unauthenticated extends DomainError {
  readonly code = 'auth.invalid_credential';
  readonly kind = 'unauthenticated';

  constructor() {
    super('Send a valid credential: Authorization: Bearer <API key or JWT>.');
  }
}

/** The key is revoked or has expired: there is nothing to rotate. */
export class ApiKeyEnded extends DomainError {
  readonly code = 'identity.api_key_ended';
  readonly kind = 'refused';

  constructor() {
    super('This key has ended. Make a new one.');
  }
}

/** Somebody wants to give, change or take away more than they hold themselves: a key, a role or a member. */
export class ScopeNotHeld extends DomainError {
  readonly code = 'identity.scope_not_held';
  readonly kind = 'forbidden';

  constructor() {
    super('This takes a permission that you do not hold yourself.');
  }
}

/** The tenant lets no key live for so long. */
export class KeyLifetimeTooLong extends DomainError {
  readonly code = 'identity.key_lifetime_too_long';
  readonly kind = 'refused';

  constructor(daysMax: number) {
    super(`Keys of this tenant end within ${daysMax} days: give an earlier expiresAt.`);
  }
}

/** The tenant lets no operator act for it. */
export class SupportNotAllowed extends DomainError {
  readonly code = 'identity.support_not_allowed';
  readonly kind = 'forbidden';

  constructor() {
    super('This tenant allows no support access. It can do so in its settings.');
  }
}

/** The operator takes a way into a tenant that has its own. */
export class ReasonRequired extends DomainError {
  readonly code = 'identity.reason_required';
  readonly kind = 'refused';

  constructor() {
    super('This tenant has a way in already: give it a reason of 10 to 500 characters, which it can read.');
  }
}
