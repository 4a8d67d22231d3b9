import { DomainError } from '@holdfast/kernel';

/** The token is of no invitation that can be accepted: unknown, expired, revoked or accepted by somebody else. */
export class InvitationInvalid extends DomainError {
  readonly code = 'identity.invitation_invalid';
  readonly kind = 'refused';

  constructor() {
    super('This invitation cannot be accepted any more. Ask for another one.');
  }
}

/** The invitation is for another address than the one that the token's issuer vouches for. */
export class InvitationForAnother extends DomainError {
  readonly code = 'identity.invitation_for_another';
  readonly kind = 'forbidden';

  constructor() {
    super('This invitation is for another e-mail address than the one that you sign in with.');
  }
}

/** The invitation was accepted, so there is nothing to take back. */
export class InvitationAccepted extends DomainError {
  readonly code = 'identity.invitation_accepted';
  readonly kind = 'conflict';

  constructor() {
    super('This invitation has been accepted. Remove the member instead.');
  }
}
