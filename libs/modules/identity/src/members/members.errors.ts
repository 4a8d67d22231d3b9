import { DomainError, InvalidInput } from '@holdfast/kernel';

/** The tenant would have nobody left who may do everything. */
export class LastOwner extends DomainError {
  readonly code = 'identity.last_owner';
  readonly kind = 'conflict';

  constructor() {
    super('This is the last owner of the tenant. Make somebody else an owner first.');
  }
}

/** The person is a member already. */
export class MemberExists extends DomainError {
  readonly code = 'identity.member_exists';
  readonly kind = 'conflict';

  constructor() {
    super('This person is a member of the tenant already.');
  }
}

/** The member was removed, and takes no more changes. */
export class MemberRemoved extends DomainError {
  readonly code = 'identity.member_removed';
  readonly kind = 'conflict';

  constructor() {
    super('This member has been removed.');
  }
}

/** The tenant has a role of this name. */
export class RoleNameTaken extends DomainError {
  readonly code = 'identity.role_name_taken';
  readonly kind = 'conflict';

  constructor() {
    super('Another role of this tenant has this name.');
  }
}

/** Somebody holds the role, or is to hold it by an invitation or an issuer's claim. */
export class RoleInUse extends DomainError {
  readonly code = 'identity.role_in_use';
  readonly kind = 'conflict';

  constructor() {
    super('Members, invitations or issuers still name this role. Give them another one first.');
  }
}

/** There is no such role in the tenant: the same answer for another tenant's. */
export function unknownRole(): InvalidInput {
  const message = 'There is no such role.';
  return new InvalidInput([{ pointer: '/role', code: 'unknown_role', message }]);
}

/** The issuer is none of those whose tokens this system accepts. */
export function unknownIssuer(): InvalidInput {
  const message = 'Tokens of this issuer are not accepted. The operator decides whose are.';
  return new InvalidInput([{ pointer: '/issuer', code: 'unknown_issuer', message }]);
}
