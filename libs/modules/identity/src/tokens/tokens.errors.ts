import { DomainError } from '@holdfast/kernel';

/** The keys of the token's issuer cannot be read, so that nobody can tell whether the token is good. */
export class IssuerUnavailable extends DomainError {
  readonly code = 'auth.issuer_unavailable';
  readonly kind = 'unavailable';
  override readonly retryAfterSeconds = 10;

  constructor() {
    super('The issuer of this token cannot be reached, so the token cannot be verified. Try again.');
  }
}

/** The credential does not belong to the tenant that the request names: whether there is such a tenant or not. */
export class TenantNotYours extends DomainError {
  readonly code = 'auth.tenant_not_yours';
  readonly kind = 'forbidden';

  constructor() {
    super('This credential does not belong to the tenant that the request names.');
  }
}

/** The token is good, and its bearer belongs to several tenants. */
export class TenantNotChosen extends DomainError {
  readonly code = 'auth.tenant_not_chosen';
  readonly kind = 'forbidden';

  constructor() {
    super('You belong to several tenants. Choose one: Holdfast-Tenant: <id>.');
  }
}

/** The token is good, and its bearer belongs to no tenant. */
export class NoMembership extends DomainError {
  readonly code = 'auth.no_membership';
  readonly kind = 'forbidden';

  constructor() {
    super('You belong to no tenant. Accept an invitation first.');
  }
}
