import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { hashOfToken, type InvitationRow, type InvitationView, showInvitation } from './invitation';

/** What GET /v1/invitations takes. */
export const invitationsInput = z.strictObject({ ...pageInput });

/** The tenant's invitations, newest first, those that are over included. */
export class Invitations extends TenantQuery<z.output<typeof invitationsInput>, Page<InvitationView>> {
  readonly scope = 'members:read';
}

const LIST = statement<InvitationRow>(
  'identity.list_invitations',
  `select id, email, built_in_role, role_id, created_by, created_at, expires_at, revoked_at, accepted_at, member_id,
     expires_at <= clock_timestamp() as is_expired
   from identity.invitations
   where tenant_id = $1 and ($2::uuid is null or id < $2)
   order by id desc
   limit $3`,
);

const cursors = new Cursors('identity.invitations', z.tuple([z.guid()]));

@QueryHandler(Invitations)
export class InvitationsHandler implements IQueryHandler<Invitations> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { limit, after } }: Invitations): Promise<Page<InvitationView>> {
    const [before] = cursors.decode(caller, after) ?? [null];
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, before, limit + 1]);
    return page(rows, limit, showInvitation, (row) => cursors.encode(caller, [row.id]));
  }
}

/** Whether the caller's tenant has made an invitation with this token. */
export class InvitationKnown extends TenantQuery<{ readonly token: string }, boolean> {
  readonly scope = 'members:read';
}

const IS_KNOWN = statement<{ readonly is_known: boolean }>(
  'identity.is_invitation_known',
  `select exists (select from identity.invitations where tenant_id = $1 and token_hash = $2) as is_known`,
);

@QueryHandler(InvitationKnown)
export class InvitationKnownHandler implements IQueryHandler<InvitationKnown> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { token } }: InvitationKnown): Promise<boolean> {
    const [row] = await this.tenants.rows(caller, IS_KNOWN, [caller.tenantId, hashOfToken(token)]);
    return row?.is_known ?? false;
  }
}
