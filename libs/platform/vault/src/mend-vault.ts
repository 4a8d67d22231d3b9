import { statement } from '@holdfast/database';
import type { KeyDirectory } from './key-directory';
import type { TenantTransaction } from './vault.sql';
import { lockVault } from './vault.sql';

/** What came of a look at a tenant's keys. */
export interface MendedVault {
  /** Files that another of VAULT_KEY had sealed than the first. */
  readonly resealed: number;
  /** Keys of the tenant that the database names and the directory does not have. */
  readonly missingKeys: readonly string[];
  /** Values that were under those, and were removed. */
  readonly discarded: number;
}

/** Of one statement, so that none runs into its timeout. */
const PAGE = 5_000;
/** Two while an erasure is under way; more than a handful there never are. */
const KEYS_MAX = 1_000;

const LIST_KEYS = statement<{ readonly keyId: string }>(
  'vault.list_keys',
  `select k.key_id as "keyId"
   from (
     select v.key_id from audit.vaults v where v.tenant_id = $1
     union
     select s.key_id from audit.subject_keys s where s.tenant_id = $1 and s.wrapped is not null) k
   order by k.key_id
   limit $2`,
);
const DISCARD_VALUES = statement(
  'vault.discard_values',
  `delete from audit.disclosures
   where tenant_id = $1 and (event_id, path) in (
     select d.event_id, d.path
     from audit.disclosures d
     join audit.subject_keys s on s.tenant_id = $1 and s.subject = d.subject
     where d.tenant_id = $1 and s.key_id = any ($2::uuid[]) and s.wrapped is not null
     limit $3)`,
);
const DISCARD_SUBJECT_KEYS = statement(
  'vault.discard_subject_keys',
  'delete from audit.subject_keys where tenant_id = $1 and key_id = any ($2::uuid[]) and wrapped is not null',
);
const DISCARD_VAULT = statement(
  'vault.discard_vault',
  'delete from audit.vaults where tenant_id = $1 and key_id = any ($2::uuid[])',
);

/**
 * Seals the tenant's key files under the first of VAULT_KEY, and finds keys that are named and not there, as behind the restore of
 * a backup from before an erasure. With `discard` what is under those goes, which nobody can read any more, and the tenant's
 * next personal value begins a fresh key. Subjects that were erased stay so.
 *
 * In a transaction of the administrator: the application may take nothing from the vault that no erasure orders. Its lock keeps
 * writers and erasures out, so that no key is destroyed while its file is written anew.
 */
export async function mendVault(
  tx: TenantTransaction,
  keys: KeyDirectory,
  { discard }: { readonly discard: boolean },
): Promise<MendedVault> {
  await lockVault(tx);
  const missingKeys: string[] = [];
  for (const { keyId } of await tx.rows(LIST_KEYS, [tx.tenantId, KEYS_MAX]))
    if (!(await keys.find(tx.tenantId, keyId))) missingKeys.push(keyId);
  const resealed = await keys.sealAnew(tx.tenantId);
  if (!discard || missingKeys.length === 0) return { resealed, missingKeys, discarded: 0 };
  let discarded = 0;
  for (let page = PAGE; page === PAGE; discarded += page)
    page = await tx.execute(DISCARD_VALUES, [tx.tenantId, missingKeys, PAGE]);
  await tx.execute(DISCARD_SUBJECT_KEYS, [tx.tenantId, missingKeys]);
  await tx.execute(DISCARD_VAULT, [tx.tenantId, missingKeys]);
  return { resealed, missingKeys, discarded };
}
