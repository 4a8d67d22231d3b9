import { DomainError } from '@holdfast/kernel';

/** Another tenant has this slug. Slugs are public: whoever may begin a tenant can find out that one is taken. */
export class SlugTaken extends DomainError {
  readonly code = 'tenants.slug_taken';
  readonly kind = 'conflict';

  constructor() {
    super('Another tenant has this slug. Choose a different one.');
  }
}

/** The idempotency key has created its tenant so long ago that the answer is no longer stored. */
export class TenantExists extends DomainError {
  readonly code = 'tenants.exists';
  readonly kind = 'conflict';

  constructor() {
    super('A tenant was created with this idempotency key before. Choose a new key for another tenant.');
  }
}

/** The change does not begin at the state that the tenant is in. */
export class WrongState extends DomainError {
  readonly code = 'tenants.wrong_state';
  readonly kind = 'conflict';

  constructor(state: string) {
    super(`This tenant is ${state}, and what was asked for does not begin there.`);
  }
}

/** What was to be the tenant's slug is another: a safeguard against erasing the wrong one. */
export class SlugNotConfirmed extends DomainError {
  readonly code = 'tenants.slug_not_confirmed';
  readonly kind = 'refused';

  constructor() {
    super('confirmSlug is not the slug of this tenant.');
  }
}

/** The tenant has something of its own, or is filled from another export. */
export class TenantNotEmpty extends DomainError {
  readonly code = 'tenants.not_empty';
  readonly kind = 'conflict';

  constructor() {
    super('An export is read into an empty tenant only: one that was just created, with no key so far.');
  }
}

/** A person has signed up a tenant before, which may since have been closed. */
export class SignedUpAlready extends DomainError {
  readonly code = 'tenants.signed_up_already';
  readonly kind = 'conflict';

  constructor() {
    super('You have signed up a tenant before. The operator can make you another one.');
  }
}

/** The operator makes all tenants here. */
export class SignUpDisabled extends DomainError {
  readonly code = 'tenants.sign_up_disabled';
  readonly kind = 'forbidden';

  constructor() {
    super('Tenants are made by the operator here.');
  }
}
