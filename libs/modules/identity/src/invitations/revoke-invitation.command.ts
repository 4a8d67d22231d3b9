import { NotFound } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { statusOf } from './invitation';
import { InvitationAccepted } from './invitations.errors';
import { invitationRevoked } from './invitations.events';
import { lockInvitation, markInvitationRevoked } from './invitations.sql';

interface Named {
  readonly id: string;
}

/** Takes an invitation back. Doing it again changes nothing. */
export class RevokeInvitation extends TenantCommand<Named, Named> {
  readonly scope = 'members:write';
}

@CommandHandler(RevokeInvitation)
export class RevokeInvitationHandler extends TenantCommandHandler<RevokeInvitation> {
  protected async handle(tx: TenantTx, { input: { id } }: RevokeInvitation): Promise<Named> {
    const invitation = await lockInvitation(tx, id);
    if (!invitation) throw new NotFound();
    const status = statusOf(invitation);
    if (status === 'accepted') throw new InvitationAccepted();
    if (status === 'revoked') return { id };
    await markInvitationRevoked(tx, id);
    await tx.announce(announcement(invitationRevoked, { id, version: 2n }, {}));
    return { id };
  }
}
