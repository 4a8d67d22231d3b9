import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import { written } from '../members/members.sql';
import type { HeldRole } from '../roles/role';
import type { InvitationRow } from './invitation';

const INSERT = statement<InvitationRow>(
  'identity.insert_invitation',
  `insert into identity.invitations (tenant_id, id, token_hash, email, built_in_role, role_id, created_by, expires_at)
   values ($1, $2, $3, $4, $5, $6, tenancy.actor(), clock_timestamp() + make_interval(days => $7))
   returning id, email, built_in_role, role_id, created_by, created_at, expires_at, revoked_at, accepted_at, member_id,
     false as is_expired`,
);

const LOCK = statement<InvitationRow>(
  'identity.lock_invitation',
  `select id, email, built_in_role, role_id, created_by, created_at, expires_at, revoked_at, accepted_at, member_id,
     expires_at <= clock_timestamp() as is_expired
   from identity.invitations
   where tenant_id = $1 and id = $2
   for no key update`,
);

// Of two who accept at once, the second waits here and finds the invitation accepted.
const LOCK_BY_TOKEN = statement<InvitationRow>(
  'identity.lock_invitation_by_token',
  `select id, email, built_in_role, role_id, created_by, created_at, expires_at, revoked_at, accepted_at, member_id,
     expires_at <= clock_timestamp() as is_expired
   from identity.invitations
   where tenant_id = $1 and token_hash = $2
   for no key update`,
);

const MARK_REVOKED = statement(
  'identity.mark_invitation_revoked',
  `update identity.invitations
   set revoked_at = clock_timestamp(), built_in_role = null, role_id = null
   where tenant_id = $1 and id = $2`,
);

const MARK_ACCEPTED = statement(
  'identity.mark_invitation_accepted',
  `update identity.invitations
   set accepted_at = clock_timestamp(), member_id = $3, built_in_role = null, role_id = null
   where tenant_id = $1 and id = $2`,
);

/** Stores an invitation that ends in so many days. */
export function insertInvitation(
  tx: TenantTx,
  invitation: {
    readonly id: string;
    readonly hash: Buffer;
    readonly email: string | null;
    readonly role: HeldRole;
    readonly expiresInDays: number;
  },
): Promise<InvitationRow> {
  const { id, hash, email, role, expiresInDays } = invitation;
  return written(tx, INSERT, [tx.tenantId, id, hash, email, role.builtIn, role.id, expiresInDays]);
}

/** The invitation, locked until the transaction ends. */
export function lockInvitation(tx: TenantTx, id: string): Promise<InvitationRow | undefined> {
  return tx.row(LOCK, [tx.tenantId, id]);
}

/** The invitation of a token, locked until the transaction ends. */
export function lockInvitationByToken(tx: TenantTx, hash: Buffer): Promise<InvitationRow | undefined> {
  return tx.row(LOCK_BY_TOKEN, [tx.tenantId, hash]);
}

/** Takes a locked invitation back. */
export async function markInvitationRevoked(tx: TenantTx, id: string): Promise<void> {
  await tx.execute(MARK_REVOKED, [tx.tenantId, id]);
}

/** Records who accepted a locked invitation. */
export async function markInvitationAccepted(tx: TenantTx, id: string, memberId: string): Promise<void> {
  await tx.execute(MARK_ACCEPTED, [tx.tenantId, id, memberId]);
}
