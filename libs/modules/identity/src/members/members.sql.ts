import { sqlState, type Statement, statement, violates } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import { ScopeNotHeld } from '../identity.errors';
import { MemberExists } from './members.errors';
import type { HeldRole } from '../roles/role';
import type { MemberRow, MemberSource } from './member';

/** How many members a tenant has, for its quota. */
export const COUNT_MEMBERS = statement<{ readonly count: bigint }>(
  'identity.count_members',
  'select count(*) as count from identity.members where tenant_id = $1 and removed_at is null',
);

const INSERT = statement<MemberRow>(
  'identity.insert_member',
  `insert into identity.members (tenant_id, id, issuer, subject, email, display_name, built_in_role, role_id, source)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
   returning id, issuer, subject, email, display_name, built_in_role, role_id, source, version, stream_version,
     created_at, removed_at, signed_in_at`,
);

const STORE_MEMBERSHIP = statement(
  'identity.store_membership',
  'select auth.store_membership($1, $2, $3, $4)',
);

const LOCK = statement<MemberRow>(
  'identity.lock_member',
  `select id, issuer, subject, email, display_name, built_in_role, role_id, source, version, stream_version,
     created_at, removed_at, signed_in_at
   from identity.members
   where tenant_id = $1 and id = $2
   for no key update`,
);

// Locked in order of their ids. Of two owners who remove each other at once, the second waits here for the first, looks at
// the rows again as they are then, and finds one owner less.
const LOCK_OWNERS = statement<{ readonly id: string }>(
  'identity.lock_owners',
  `select id
   from identity.members
   where tenant_id = $1 and built_in_role = 'owner'
   order by id
   limit 1000
   for no key update`,
);

const UPDATE = statement<MemberRow>(
  'identity.update_member',
  `update identity.members
   set email = $3, display_name = $4, built_in_role = $5, role_id = $6, source = $7, version = version + 1,
     stream_version = stream_version + 1
   where tenant_id = $1 and id = $2
   returning id, issuer, subject, email, display_name, built_in_role, role_id, source, version, stream_version,
     created_at, removed_at, signed_in_at`,
);

const SET_MEMBERSHIP = statement(
  'identity.set_membership',
  'select auth.set_memberships(array[$1]::uuid[], $2)',
);

const MARK_REMOVED = statement<{ readonly stream_version: bigint }>(
  'identity.mark_member_removed',
  `update identity.members
   set removed_at = clock_timestamp(), built_in_role = null, role_id = null, version = version + 1,
     stream_version = stream_version + 1
   where tenant_id = $1 and id = $2
   returning stream_version`,
);

const END_MEMBERSHIP = statement('identity.end_membership', 'select auth.end_membership($1)');

/** What is stored of a member besides their identity. */
export interface MemberContent {
  readonly email: string | null;
  readonly displayName: string | null;
  readonly role: HeldRole;
  readonly source: MemberSource;
}

/** Stores a member, and what they may do. Throws MemberExists and ScopeNotHeld. */
export async function insertMember(
  tx: TenantTx,
  member: MemberContent & { readonly id: string; readonly issuer: string; readonly subject: string },
): Promise<MemberRow> {
  const { id, issuer, subject, email, displayName, role, source } = member;
  const values = [tx.tenantId, id, issuer, subject, email, displayName, role.builtIn, role.id, source];
  try {
    const row = await written(tx, INSERT, values);
    await tx.execute(STORE_MEMBERSHIP, [issuer, subject, id, role.scopes]);
    return row;
  } catch (error) {
    if (violates(error, 'members_tenant_id_issuer_subject_idx')) throw new MemberExists();
    return notHeld(error);
  }
}

/** The member, locked until the transaction ends. */
export function lockMember(tx: TenantTx, id: string): Promise<MemberRow | undefined> {
  return tx.row(LOCK, [tx.tenantId, id]);
}

/** The ids of the tenant's owners, who stay what they are until the transaction ends. */
export async function lockOwners(tx: TenantTx): Promise<readonly string[]> {
  return (await tx.rows(LOCK_OWNERS, [tx.tenantId])).map(({ id }) => id);
}

/** Changes a locked member, and what they may do. Throws ScopeNotHeld. */
export async function updateMember(
  tx: TenantTx,
  id: string,
  { email, displayName, role, source }: MemberContent,
): Promise<MemberRow> {
  const row = await written(tx, UPDATE, [tx.tenantId, id, email, displayName, role.builtIn, role.id, source]);
  await tx.execute(SET_MEMBERSHIP, [id, role.scopes]).catch(notHeld);
  return row;
}

/** Ends a locked membership; answers the version of the member's stream. Throws ScopeNotHeld. */
export async function markMemberRemoved(tx: TenantTx, id: string): Promise<bigint> {
  const row = await written(tx, MARK_REMOVED, [tx.tenantId, id]);
  await tx.execute(END_MEMBERSHIP, [id]).catch(notHeld);
  return row.stream_version;
}

/** SQLSTATE of auth.require_held. */
const SCOPE_NOT_HELD = 'HF003';

/** Translates the database's refusal to give or take what the caller does not hold. */
export function notHeld(error: unknown): never {
  throw sqlState(error) === SCOPE_NOT_HELD ? new ScopeNotHeld() : error;
}

/** The row that a statement which writes one returns. */
export async function written<Row>(
  tx: TenantTx,
  writing: Statement<Row>,
  values: readonly unknown[],
): Promise<Row> {
  const row = await tx.row(writing, values);
  if (!row) throw new Error(`${writing.name} returned nothing`);
  return row;
}
