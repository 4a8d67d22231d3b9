import { NotFound } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { WriteKeyRow } from './write-key';

/**
 * How many keys of the tenant count for its quota. One that was revoked goes on counting for a day: each stands in the list that every
 * ingest reads, for ever, and who makes and revokes keys in a loop must not fill it.
 */
export const COUNT_WRITE_KEYS = statement<{ readonly count: bigint }>(
  'telemetry.count_write_keys',
  `select count(*) as count
   from telemetry.write_keys
   where tenant_id = $1 and (revoked_at is null or revoked_at > clock_timestamp() - interval '1 day')`,
);

const INSERT = statement<WriteKeyRow>(
  'telemetry.insert_write_key',
  `insert into telemetry.write_keys (tenant_id, id, name, created_by)
   values ($1, $2, $3, tenancy.actor())
   returning id, name, created_by, created_at, revoked_at, version`,
);

const LOCK = statement<WriteKeyRow>(
  'telemetry.lock_write_key',
  `select id, name, created_by, created_at, revoked_at, version
   from telemetry.write_keys
   where tenant_id = $1 and id = $2
   for no key update`,
);

const MARK_REVOKED = statement(
  'telemetry.mark_write_key_revoked',
  `update telemetry.write_keys
   set revoked_at = clock_timestamp(), version = version + 1
   where tenant_id = $1 and id = $2`,
);

/** Stores a key. */
export async function insertWriteKey(tx: TenantTx, id: string, name: string): Promise<WriteKeyRow> {
  const row = await tx.row(INSERT, [tx.tenantId, id, name]);
  if (!row) throw new Error('the insert of a write key returned nothing');
  return row;
}

/** The key, locked until the transaction ends. Throws NotFound. */
export async function lockWriteKey(tx: TenantTx, id: string): Promise<WriteKeyRow> {
  const row = await tx.row(LOCK, [tx.tenantId, id]);
  if (!row) throw new NotFound();
  return row;
}

/** Ends a locked key. */
export async function markWriteKeyRevoked(tx: TenantTx, id: string): Promise<void> {
  await tx.execute(MARK_REVOKED, [tx.tenantId, id]);
}
