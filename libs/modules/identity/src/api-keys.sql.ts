import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** A key as its tenant sees it. */
export interface ApiKeyRow {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: string[];
  readonly created_by: string;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
}

const INSERT = statement<ApiKeyRow>(
  'identity.insert_api_key',
  `insert into identity.api_keys (tenant_id, id, name, prefix, scopes, created_by, expires_at)
   values ($1, $2, $3, $4, $5, tenancy.actor(), $6)
   returning id, name, prefix, scopes, created_by, created_at, expires_at, revoked_at`,
);

const STORE_CREDENTIAL = statement(
  'identity.store_credential',
  'select auth.store_credential($1, $2, $3, $4)',
);

const LOCK = statement<ApiKeyRow>(
  'identity.lock_api_key',
  `select id, name, prefix, scopes, created_by, created_at, expires_at, revoked_at
   from identity.api_keys
   where tenant_id = $1 and id = $2
   for no key update`,
);

const MARK_REVOKED = statement(
  'identity.mark_api_key_revoked',
  'update identity.api_keys set revoked_at = clock_timestamp() where tenant_id = $1 and id = $2',
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
  },
  hash: Buffer,
): Promise<ApiKeyRow> {
  const [row] = await Promise.all([
    tx.row(INSERT, [tx.tenantId, key.id, key.name, key.prefix, key.scopes, key.expiresAt]),
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
