import type { Caller, Principal } from '@holdfast/kernel';
import { type Idempotency, TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { admitMember } from '../members/admit-member';
import { type MemberView, showMember } from '../members/member';
import { lockMember } from '../members/members.sql';
import { getHeldRole } from '../roles/roles.sql';
import { canStillGive } from './inviter';
import { hashOfToken, isAddressOf, statusOf } from './invitation';
import { InvitationForAnother, InvitationInvalid } from './invitations.errors';
import { invitationAccepted } from './invitations.events';
import { lockInvitationByToken, markInvitationAccepted } from './invitations.sql';

/** What POST /v1/invitations/accept takes. */
export const acceptInvitationInput = z.strictObject({ token: z.string().max(200) });

interface Input {
  readonly token: string;
  readonly issuer: string;
  readonly subject: string;
}

/**
 * Makes a principal a member of the tenant whose invitation they hold. The caller is the system, in that tenant: the
 * principal belongs to none yet. Whoever has accepted and asks again is told the same.
 */
export class AcceptInvitation extends TenantCommand<Input, MemberView> {
  readonly scope = 'members:write';

  constructor(
    caller: Caller,
    token: string,
    readonly principal: Principal,
    idempotency?: Idempotency,
  ) {
    super(caller, { token, issuer: principal.issuer, subject: principal.subject }, idempotency);
  }
}

@CommandHandler(AcceptInvitation)
export class AcceptInvitationHandler extends TenantCommandHandler<AcceptInvitation> {
  protected async handle(tx: TenantTx, { input, principal }: AcceptInvitation): Promise<MemberView> {
    const invitation = await lockInvitationByToken(tx, hashOfToken(input.token));
    if (!invitation) throw new InvitationInvalid();
    const { issuer, subject, claims } = principal;
    if (invitation.member_id !== null) {
      const member = await lockMember(tx, invitation.member_id);
      const isSame = member?.issuer === issuer && member.subject === subject && !member.removed_at;
      if (!member || !isSame) throw new InvitationInvalid();
      return showMember(member);
    }
    if (statusOf(invitation) !== 'pending') throw new InvitationInvalid();
    const { id, email } = invitation;
    if (email !== null && !isAddressOf(email, claims)) throw new InvitationForAnother();
    const role = invitation.built_in_role ?? invitation.role_id ?? '';
    if (!(await canStillGive(tx, invitation.created_by, await getHeldRole(tx, role))))
      throw new InvitationInvalid();
    const member = await admitMember(tx, { issuer, subject, email, role, source: 'invitation' });
    await markInvitationAccepted(tx, id, member.id);
    await tx.announce(announcement(invitationAccepted, { id, version: 2n }, { memberId: member.id }));
    return showMember(member);
  }
}
