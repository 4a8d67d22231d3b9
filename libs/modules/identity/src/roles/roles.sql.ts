import { sqlState, statement, violates } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import { RoleInUse, RoleNameTaken, unknownRole } from '../members/members.errors';
import { builtInRole, type HeldRole, type RoleRow } from './role';

/** How many roles of its own a tenant has, for its quota. */
export const COUNT_ROLES = statement<{ readonly count: bigint }>(
  'identity.count_roles',
  'select count(*) as count from identity.roles where tenant_id = $1',
);

const INSERT = statement<RoleRow>(
  'identity.insert_role',
  `insert into identity.roles (tenant_id, id, name, permissions)
   values ($1, $2, $3, $4)
   returning id, name, permissions, version, created_at`,
);

const LOCK = statement<RoleRow>(
  'identity.lock_role',
  `select id, name, permissions, version, created_at
   from identity.roles
   where tenant_id = $1 and id = $2
   for no key update`,
);

// Waits for a change of the role's permissions, and keeps the next one waiting until the holder is there to be changed.
const SHARE = statement<{ readonly permissions: string[] }>(
  'identity.share_role',
  'select permissions from identity.roles where tenant_id = $1 and id = $2 for share',
);

const UPDATE = statement<RoleRow>(
  'identity.update_role',
  `update identity.roles
   set name = $3, permissions = $4, version = version + 1
   where tenant_id = $1 and id = $2
   returning id, name, permissions, version, created_at`,
);

const DELETE = statement(
  'identity.delete_role',
  'delete from identity.roles where tenant_id = $1 and id = $2',
);

// Before their permissions are set, and in a statement of its own: somebody who leaves the role meanwhile is waited for and
// then no longer found. Who comes to it waits for the role itself.
const LOCK_HOLDERS = statement<{ readonly id: string }>(
  'identity.lock_holders',
  `select id
   from identity.members
   where tenant_id = $1 and role_id = $2 and removed_at is null
   order by id
   for no key update`,
);

const SET_SCOPES = statement('identity.set_scopes', 'select auth.set_memberships($1, $2)');

// An invitation that has expired cannot be accepted, and is not worth a role.
const FORGET_EXPIRED_INVITATIONS = statement(
  'identity.forget_expired_invitations',
  `update identity.invitations
   set revoked_at = expires_at, role_id = null
   where tenant_id = $1 and role_id = $2 and revoked_at is null and accepted_at is null
     and expires_at <= clock_timestamp()`,
);

/** Stores a role. Throws RoleNameTaken. */
export async function insertRole(
  tx: TenantTx,
  role: { readonly id: string; readonly name: string; readonly permissions: readonly string[] },
): Promise<RoleRow> {
  const row = await tx.row(INSERT, [tx.tenantId, role.id, role.name, role.permissions]).catch(nameTaken);
  if (!row) throw new Error('the insert of a role returned nothing');
  return row;
}

/** The role, locked until the transaction ends. */
export function lockRole(tx: TenantTx, id: string): Promise<RoleRow | undefined> {
  return tx.row(LOCK, [tx.tenantId, id]);
}

/** The role of a name or id, kept as it is until the transaction ends. */
export async function findHeldRole(tx: TenantTx, reference: string): Promise<HeldRole | undefined> {
  const builtIn = builtInRole(reference);
  if (builtIn) return builtIn;
  const row = await tx.row(SHARE, [tx.tenantId, reference]);
  return row && { builtIn: null, id: reference, scopes: row.permissions };
}

/** The same for a role that a request names. Throws InvalidInput at /role. */
export async function getHeldRole(tx: TenantTx, reference: string): Promise<HeldRole> {
  const role = await findHeldRole(tx, reference);
  if (!role) throw unknownRole();
  return role;
}

/** Changes a locked role, and what those who hold it may do. Throws RoleNameTaken. */
export async function updateRole(
  tx: TenantTx,
  id: string,
  { name, permissions }: { readonly name: string; readonly permissions: readonly string[] },
): Promise<RoleRow> {
  const row = await tx.row(UPDATE, [tx.tenantId, id, name, permissions]).catch(nameTaken);
  if (!row) throw new Error('the update of a role returned nothing');
  const holders = await tx.rows(LOCK_HOLDERS, [tx.tenantId, id]);
  await tx.execute(SET_SCOPES, [holders.map((holder) => holder.id), permissions]);
  return row;
}

/** Removes a locked role. Throws RoleInUse when somebody holds it or is to hold it. */
export async function deleteRole(tx: TenantTx, id: string): Promise<void> {
  try {
    await tx.execute(FORGET_EXPIRED_INVITATIONS, [tx.tenantId, id]);
    await tx.execute(DELETE, [tx.tenantId, id]);
  } catch (error) {
    throw sqlState(error) === FOREIGN_KEY_VIOLATION ? new RoleInUse() : error;
  }
}

const FOREIGN_KEY_VIOLATION = '23503';

function nameTaken(error: unknown): never {
  throw violates(error, 'roles_tenant_id_name_key') ? new RoleNameTaken() : error;
}
