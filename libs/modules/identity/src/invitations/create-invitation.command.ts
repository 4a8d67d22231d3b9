import { type Caller, newId } from '@holdfast/kernel';
import { type Idempotency, TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { requireHeld } from '../roles/create-role.command';
import { roleReference } from '../roles/role';
import { getHeldRole } from '../roles/roles.sql';
import { generateInvitationToken, type InvitationView, showInvitation } from './invitation';
import { invitationCreated } from './invitations.events';
import { insertInvitation } from './invitations.sql';

/** What POST /v1/invitations takes. */
export const createInvitationInput = z.strictObject({
  email: z
    .email()
    .max(320)
    .nullish()
    .meta({
      description:
        'Who may accept: the token’s issuer has to vouch for this address. Null for whoever has the token.',
      examples: ['ann@example.com'],
    }),
  role: roleReference,
  expiresInDays: z.int().min(1).max(30).default(7),
});

type Input = z.output<typeof createInvitationInput>;

/**
 * Invites somebody into the caller's tenant. The token is made here and travels beside the input and the answer, because
 * both are stored with the idempotency key and the token must not be.
 */
export class CreateInvitation extends TenantCommand<Input, InvitationView> {
  readonly scope = 'members:write';
  readonly token;

  constructor(caller: Caller, input: Input, idempotency?: Idempotency) {
    super(caller, input, idempotency);
    this.token = generateInvitationToken(caller.tenantId);
  }

  /** The answer with the token, or null where the answer is a replay. */
  withToken(invitation: InvitationView): InvitationView & { readonly token: string | null } {
    return { ...invitation, token: this.idempotency?.replayed ? null : this.token.text };
  }
}

@CommandHandler(CreateInvitation)
export class CreateInvitationHandler extends TenantCommandHandler<CreateInvitation> {
  protected async handle(tx: TenantTx, { caller, input, token }: CreateInvitation): Promise<InvitationView> {
    const role = await getHeldRole(tx, input.role);
    requireHeld(caller, role.scopes);
    const { email = null, expiresInDays } = input;
    const row = await insertInvitation(tx, { id: newId(), hash: token.hash, email, role, expiresInDays });
    const shown = showInvitation(row);
    const content = { role: input.role, expiresAt: shown.expiresAt, email: email ?? undefined };
    await tx.announce(announcement(invitationCreated, { id: row.id, version: 1n }, content));
    return shown;
  }
}
