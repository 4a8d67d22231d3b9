import { statement, type Transaction } from '@holdfast/database';

/** A transaction of one tenant. */
export type TenantTransaction = Transaction & { readonly tenantId: string };

/** A subject's key as the database has it; without `wrapped` the subject is erased. */
export interface SubjectKeyRow {
  readonly subject: string;
  readonly key_id: string;
  readonly wrapped: Buffer | null;
}

/** A disclosure and the key that it is under. */
export interface DisclosureRow extends SubjectKeyRow {
  readonly event_id: string;
  readonly path: string;
  readonly sealed: Buffer;
}

/** A sealed opening on its way into the database. */
export interface NewDisclosure {
  readonly eventId: string;
  readonly path: string;
  readonly subject: string;
  readonly sealed: Buffer;
}

// Shared with other writers, and not with an erasure: from here to the commit the tenant's key and its subjects stay.
const SHARE_VAULT = statement<{ key_id: string }>(
  'vault.share_vault',
  'select key_id from audit.vaults where tenant_id = $1 for share',
);

const LOCK_VAULT = statement<{ key_id: string }>(
  'vault.lock_vault',
  'select key_id from audit.vaults where tenant_id = $1 for update',
);

const INSERT_VAULT = statement<{ key_id: string }>(
  'vault.insert_vault',
  `insert into audit.vaults (tenant_id, key_id)
   values ($1, $2)
   on conflict (tenant_id) do nothing
   returning key_id`,
);

const TURN_VAULT = statement('vault.turn_vault', 'update audit.vaults set key_id = $2 where tenant_id = $1');

const LIST_SUBJECT_KEYS = statement<SubjectKeyRow>(
  'vault.list_subject_keys',
  `select subject, key_id, wrapped
   from audit.subject_keys
   where tenant_id = $1 and subject = any($2::uuid[])
   limit 1000`,
);

const INSERT_SUBJECT_KEY = statement(
  'vault.insert_subject_key',
  `insert into audit.subject_keys (tenant_id, subject, key_id, wrapped)
   values ($1, $2, $3, $4)
   on conflict (tenant_id, subject) do nothing`,
);

const INSERT_DISCLOSURES = statement(
  'vault.insert_disclosures',
  `insert into audit.disclosures (tenant_id, event_id, path, subject, sealed)
   select $1, d.event_id, d.path, d.subject, d.sealed
   from unnest($2::uuid[], $3::text[], $4::uuid[], $5::bytea[]) d (event_id, path, subject, sealed)`,
);

const LIST_DISCLOSURES = statement<DisclosureRow>(
  'vault.list_disclosures',
  `select d.event_id, d.path, d.subject, d.sealed, k.key_id, k.wrapped
   from audit.disclosures d
   join audit.subject_keys k on k.tenant_id = d.tenant_id and k.subject = d.subject
   where d.tenant_id = $1 and d.event_id = any($2::uuid[]) and k.tenant_id = $1
   limit 5000`,
);

// A row for a subject that the vault has never heard of as well, so that nothing of theirs is kept later.
const FORGET_SUBJECT_KEYS = statement(
  'vault.forget_subject_keys',
  `insert into audit.subject_keys (tenant_id, subject, key_id, wrapped)
   select $1, s.subject, $3, null
   from unnest($2::uuid[]) s (subject)
   on conflict (tenant_id, subject) do update set wrapped = null`,
);

const DELETE_DISCLOSURES = statement(
  'vault.delete_disclosures',
  `delete from audit.disclosures
   where tenant_id = $1 and (event_id, path) in (
     select event_id, path from audit.disclosures where tenant_id = $1 and subject = any($2::uuid[]) limit $3)`,
);

const LOCK_OLD_SUBJECT_KEYS = statement<SubjectKeyRow>(
  'vault.lock_old_subject_keys',
  `select subject, key_id, wrapped
   from audit.subject_keys
   where tenant_id = $1 and key_id <> $2 and wrapped is not null
   order by subject
   limit $3
   for no key update`,
);

const REWRAP_SUBJECT_KEYS = statement(
  'vault.rewrap_subject_keys',
  `update audit.subject_keys k
   set key_id = $2, wrapped = n.wrapped
   from unnest($3::uuid[], $4::bytea[]) n (subject, wrapped)
   where k.tenant_id = $1 and k.subject = n.subject`,
);

const COUNT_OF_SUBJECT = statement<{ count: bigint }>(
  'vault.count_disclosures',
  'select count(*) as count from audit.disclosures where tenant_id = $1 and subject = $2',
);

/** The id of the tenant's key, which stays it until the transaction ends; undefined before there is one. */
export async function shareVault(tx: TenantTransaction): Promise<string | undefined> {
  return (await tx.row(SHARE_VAULT, [tx.tenantId]))?.key_id;
}

/** The same, with every writer waited for and kept out. */
export async function lockVault(tx: TenantTransaction): Promise<string | undefined> {
  return (await tx.row(LOCK_VAULT, [tx.tenantId]))?.key_id;
}

/** Gives the tenant its first key; false when it has one already. */
export async function insertVault(tx: TenantTransaction, keyId: string): Promise<boolean> {
  return (await tx.row(INSERT_VAULT, [tx.tenantId, keyId])) !== undefined;
}

/** Puts another key in the place of the tenant's. */
export async function turnVault(tx: TenantTransaction, keyId: string): Promise<void> {
  await tx.execute(TURN_VAULT, [tx.tenantId, keyId]);
}

/** The keys of these subjects, as far as there are any. */
export function listSubjectKeys(
  tx: TenantTransaction,
  subjects: readonly string[],
): Promise<SubjectKeyRow[]> {
  return tx.rows(LIST_SUBJECT_KEYS, [tx.tenantId, subjects]);
}

/** Stores the key of a subject; false when another writer was first. */
export async function insertSubjectKey(
  tx: TenantTransaction,
  { subject, key_id, wrapped }: SubjectKeyRow,
): Promise<boolean> {
  return (await tx.execute(INSERT_SUBJECT_KEY, [tx.tenantId, subject, key_id, wrapped])) === 1;
}

/** Stores openings. */
export async function insertDisclosures(
  tx: TenantTransaction,
  disclosures: readonly NewDisclosure[],
): Promise<void> {
  const each = <T>(pick: (disclosure: NewDisclosure) => T): T[] => disclosures.map(pick);
  await tx.execute(INSERT_DISCLOSURES, [
    tx.tenantId,
    each(({ eventId }) => eventId),
    each(({ path }) => path),
    each(({ subject }) => subject),
    each(({ sealed }) => sealed),
  ]);
}

/** What is kept of the events, with the keys. */
export function listDisclosures(
  tx: TenantTransaction,
  eventIds: readonly string[],
): Promise<DisclosureRow[]> {
  return tx.rows(LIST_DISCLOSURES, [tx.tenantId, eventIds]);
}

/** Takes the subjects' keys away, for good. */
export async function forgetSubjectKeys(
  tx: TenantTransaction,
  subjects: readonly string[],
  keyId: string,
): Promise<void> {
  await tx.execute(FORGET_SUBJECT_KEYS, [tx.tenantId, subjects, keyId]);
}

/** Deletes up to so many disclosures of the subjects, and answers how many. */
export function deleteDisclosures(
  tx: TenantTransaction,
  subjects: readonly string[],
  limit: number,
): Promise<number> {
  return tx.execute(DELETE_DISCLOSURES, [tx.tenantId, subjects, limit]);
}

/** Keys of subjects that another than this key of the tenant wraps. */
export function lockOldSubjectKeys(
  tx: TenantTransaction,
  keyId: string,
  limit: number,
): Promise<SubjectKeyRow[]> {
  return tx.rows(LOCK_OLD_SUBJECT_KEYS, [tx.tenantId, keyId, limit]);
}

/** Stores keys of subjects that are wrapped by this key. */
export async function rewrapSubjectKeys(
  tx: TenantTransaction,
  keyId: string,
  keys: readonly { readonly subject: string; readonly wrapped: Buffer }[],
): Promise<void> {
  const values = [keys.map(({ subject }) => subject), keys.map(({ wrapped }) => wrapped)];
  await tx.execute(REWRAP_SUBJECT_KEYS, [tx.tenantId, keyId, ...values]);
}

/** How many values of the subject are kept. */
export async function countDisclosures(tx: TenantTransaction, subject: string): Promise<number> {
  return Number((await tx.row(COUNT_OF_SUBJECT, [tx.tenantId, subject]))?.count ?? 0n);
}
