import { newId } from '@holdfast/kernel';
import { announcement, requireQuota, type TenantTx } from '@holdfast/tenancy';
import { memberAdded } from './members.events';
import type { HeldRole } from '../roles/role';
import { getHeldRole } from '../roles/roles.sql';
import { announcedOf, type MemberRow, type MemberSource } from './member';
import { COUNT_MEMBERS, insertMember } from './members.sql';

/** Somebody who becomes a member. */
export interface Newcomer {
  readonly issuer: string;
  readonly subject: string;
  readonly email?: string | null | undefined;
  readonly displayName?: string | null | undefined;
  /** A built-in role, or the id of one of the tenant's own. */
  readonly role: string;
  readonly source: MemberSource;
}

/**
 * Makes somebody a member of the transaction's tenant: the one way in, whatever leads there. Throws QuotaExceeded,
 * InvalidInput at /role, MemberExists, and ScopeNotHeld when the caller holds less than the role.
 */
export async function admitMember(tx: TenantTx, newcomer: Newcomer): Promise<MemberRow> {
  await requireQuota(tx, 'members', COUNT_MEMBERS);
  const role: HeldRole = await getHeldRole(tx, newcomer.role);
  const { issuer, subject, email = null, displayName = null, source } = newcomer;
  const member = await insertMember(tx, { id: newId(), issuer, subject, email, displayName, role, source });
  const stream = { id: member.id, version: member.stream_version };
  await tx.announce(announcement(memberAdded, stream, { ...announcedOf(member), source }));
  return member;
}
