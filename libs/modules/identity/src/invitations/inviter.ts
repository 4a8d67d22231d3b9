import type { TenantTx } from '@holdfast/tenancy';
import { lockApiKey } from '../api-keys.sql';
import { roleOf } from '../members/member';
import { lockMember } from '../members/members.sql';
import type { HeldRole } from '../roles/role';
import { findHeldRole } from '../roles/roles.sql';

/**
 * Whether whoever invited could still give the role: an invitation is worth what its maker is when it is accepted. A
 * member who was removed or has less by now, and a key that was revoked, give nothing; a key that has come to its end
 * gives what it did. The system, and an operator's support access, are judged when they invite.
 */
export async function canStillGive(tx: TenantTx, createdBy: string, role: HeldRole): Promise<boolean> {
  const [kind, id = ''] = createdBy.split(':');
  if (kind !== 'member' && kind !== 'api_key') return true;
  const scopes = kind === 'member' ? await scopesOfMember(tx, id) : await scopesOfKey(tx, id);
  const holds = (scope: string): boolean => scopes.includes('*') || scopes.includes(scope);
  return ['members:write', ...role.scopes].every(holds);
}

async function scopesOfMember(tx: TenantTx, id: string): Promise<readonly string[]> {
  const member = await lockMember(tx, id);
  const reference = member ? roleOf(member) : null;
  const role = reference === null ? undefined : await findHeldRole(tx, reference);
  return role?.scopes ?? [];
}

async function scopesOfKey(tx: TenantTx, id: string): Promise<readonly string[]> {
  const key = await lockApiKey(tx, id);
  return key && !key.revoked_at ? key.scopes : [];
}
