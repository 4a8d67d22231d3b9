import { sqlState, statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import { ScopeNotHeld } from './identity.errors';

/** A key as its tenant sees it. */
export interface ApiKeyRow {
  readonly id: string;
  readonly version: bigint;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: string[];
  readonly created_by: string;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly rotated_at: Date | null;
  readonly previous_ends_at: Date | null;
  readonly reason: string | null;
  readonly last_used_at: Date | null;
  readonly last_address: string | null;
}

const INSERT = statement<ApiKeyRow>(
  'identity.insert_api_key',
  `insert into identity.api_keys (tenant_id, id, name, prefix, scopes, created_by, expires_at, reason)
   values ($1, $2, $3, $4, $5, tenancy.actor(), $6, $7)
   returning id, version, name, prefix, scopes, created_by, created_at, expires_at, revoked_at, rotated_at,
     previous_ends_at, reason, null::timestamptz as last_used_at, null::text as last_address`,
);

const STORE_CREDENTIAL = statement(
  'identity.store_credential',
  'select auth.store_credential($1, $2, $3, $4)',
);

const LOCK = statement<ApiKeyRow>(
  'identity.lock_api_key',
  `select k.id, k.version, k.name, k.prefix, k.scopes, k.created_by, k.created_at, k.expires_at, k.revoked_at,
     k.rotated_at, k.previous_ends_at, k.reason, u.last_used_at, u.last_address
   from identity.api_keys k
   left join identity.credential_uses u on u.tenant_id = k.tenant_id and u.credential = 'api_key:' || k.id
   where k.tenant_id = $1 and k.id = $2
   for no key update of k`,
);

const MARK_REVOKED = statement(
  'identity.mark_api_key_revoked',
  `update identity.api_keys
   set revoked_at = clock_timestamp(), version = version + 1
   where tenant_id = $1 and id = $2`,
);

const REVOKE_CREDENTIAL = statement('identity.revoke_credential', 'select auth.revoke_credential($1)');

/** Stores a key's row and the hash that it is recognised by. The database refuses scopes that the actor does not hold. */
export async function insertApiKey(
  tx: TenantTx,
  key: {
    readonly id: string;
    readonly name: string;
    readonly prefix: string;
    readonly scopes: readonly string[];
    readonly expiresAt: string | null;
    readonly reason: string | null;
  },
  hash: Buffer,
): Promise<ApiKeyRow> {
  const [row] = await Promise.all([
    tx.row(INSERT, [tx.tenantId, key.id, key.name, key.prefix, key.scopes, key.expiresAt, key.reason]),
    tx.execute(STORE_CREDENTIAL, [key.id, hash, key.scopes, key.expiresAt]),
  ]);
  if (!row) throw new Error('the insert of an API key returned nothing');
  return row;
}

/** The key, locked until the transaction ends. */
export function lockApiKey(tx: TenantTx, id: string): Promise<ApiKeyRow | undefined> {
  return tx.row(LOCK, [tx.tenantId, id]);
}

/** Ends a key: its row says so, and its hash is no longer exchanged for grants. */
export async function markApiKeyRevoked(tx: TenantTx, id: string): Promise<void> {
  await Promise.all([tx.execute(MARK_REVOKED, [tx.tenantId, id]), tx.execute(REVOKE_CREDENTIAL, [id])]);
}

const ROTATE_CREDENTIAL = statement<{ ends_at: Date | null }>(
  'identity.rotate_credential',
  'select auth.rotate_credential($1, $2, make_interval(secs => $3)) as ends_at',
);

const MARK_ROTATED = statement<Omit<ApiKeyRow, 'last_used_at' | 'last_address'>>(
  'identity.mark_api_key_rotated',
  `update identity.api_keys
   set prefix = $3, rotated_at = clock_timestamp(), previous_ends_at = $4, version = version + 1
   where tenant_id = $1 and id = $2
   returning id, version, name, prefix, scopes, created_by, created_at, expires_at, revoked_at, rotated_at,
     previous_ends_at, reason`,
);

/** Stores the hash of a key's next secret. Answers when the one before it ends; undefined for a key that has ended. */
export async function rotateCredential(
  tx: TenantTx,
  id: string,
  hash: Buffer,
  overlapSeconds: number,
): Promise<Date | undefined> {
  return (await tx.row(ROTATE_CREDENTIAL, [id, hash, overlapSeconds]))?.ends_at ?? undefined;
}

/** Writes a rotation into the key's row. */
export async function markApiKeyRotated(
  tx: TenantTx,
  key: ApiKeyRow,
  prefix: string,
  previousEndsAt: Date,
): Promise<ApiKeyRow> {
  const row = await tx.row(MARK_ROTATED, [tx.tenantId, key.id, prefix, previousEndsAt]);
  if (!row) throw new Error('the update of a locked API key found nothing');
  return { ...key, ...row };
}

/** How many keys of the tenant still open something: what the plan's quota counts. */
export const COUNT_USABLE_API_KEYS = statement<{ readonly count: bigint }>(
  'identity.count_usable_api_keys',
  `select count(*) as count
   from identity.api_keys
   where tenant_id = $1 and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())`,
);

const HAS_WAY_IN = statement<{ has_way_in: boolean }>(
  'identity.has_way_in',
  `select exists (
     select from identity.api_keys where tenant_id = $1
   ) or exists (
     select from identity.members where tenant_id = $1 and built_in_role = 'owner'
   ) as has_way_in`,
);

/** Whether the tenant has, or had, a way in: a key, ended or not, or an owner. Else revoking a key would make the next the first. */
export async function hasWayIn(tx: TenantTx): Promise<boolean> {
  return (await tx.row(HAS_WAY_IN, [tx.tenantId]))?.has_way_in ?? false;
}

/** SQLSTATE that functions of schema auth raise for a scope that the actor does not hold. */
const SCOPE_NOT_HELD = 'HF003';

/** Does what hands on scopes; throws ScopeNotHeld when the database refuses it. */
export async function refusingScopes<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw sqlState(error) === SCOPE_NOT_HELD ? new ScopeNotHeld() : error;
  }
}
