import { statement, type SystemTx } from '@holdfast/database';
import { treeName, type TreeKey } from './trees.sql';

/** A checkpoint as it is stored. */
export interface StoredCheckpoint extends TreeKey {
  readonly size: number;
  readonly root: Buffer;
  readonly note: string;
}

// A clock that is put back must not hide a newer checkpoint behind an older one.
const UPSERT = statement(
  'audit.upsert_checkpoints',
  `with kept as (
     select t.tenant_id, t.epoch
     from audit.trees t
     where t.tenant_id = any ($1::uuid[])
     for key share
   )
   insert into audit.checkpoints as c (tenant_id, epoch, hour, size, root, note)
   select n.tenant_id, n.epoch,
     greatest(date_trunc('hour', clock_timestamp()), (
       select max(b.hour) from audit.checkpoints b where b.tenant_id = n.tenant_id and b.epoch = n.epoch)),
     n.size, n.root, n.note
   from unnest($1::uuid[], $2::int[], $3::bigint[], $4::bytea[], $5::text[]) n (tenant_id, epoch, size, root, note)
   join kept k on k.tenant_id = n.tenant_id and k.epoch = n.epoch
   on conflict (tenant_id, epoch, hour) do update
   set size = excluded.size, root = excluded.root, note = excluded.note, signed_at = clock_timestamp()
   where c.size <= excluded.size`,
);

const FIND_NEWEST = statement<TreeKey & { size: bigint; root: Buffer; note: string }>(
  'audit.find_newest_checkpoints',
  `select n.tenant_id as "tenantId", n.epoch, c.size, c.root, c.note
   from unnest($1::uuid[], $2::int[]) n (tenant_id, epoch)
   cross join lateral (
     select c.size, c.root, c.note
     from audit.checkpoints c
     where c.tenant_id = n.tenant_id and c.epoch = n.epoch
     order by c.hour desc
     limit 1
   ) c`,
);

const RECORD_KEYS = statement(
  'audit.record_log_keys',
  `insert into audit.log_keys as k (public_key)
   select unnest($1::bytea[])
   on conflict (public_key) do update
   set last_used_at = excluded.last_used_at`,
);

/**
 * Stores checkpoints as the newest of their hour. One that is smaller than what is there changes nothing, and neither does one of a
 * tree that was erased meanwhile.
 */
export async function upsertCheckpoints(
  tx: SystemTx,
  checkpoints: readonly StoredCheckpoint[],
): Promise<void> {
  await tx.execute(UPSERT, [
    checkpoints.map(({ tenantId }) => tenantId),
    checkpoints.map(({ epoch }) => epoch),
    checkpoints.map(({ size }) => size),
    checkpoints.map(({ root }) => root),
    checkpoints.map(({ note }) => note),
  ]);
}

/** The newest stored checkpoint of each tree, by tree. */
export async function findNewestCheckpoints(
  tx: SystemTx,
  trees: readonly TreeKey[],
): Promise<ReadonlyMap<string, StoredCheckpoint>> {
  const rows = await tx.rows(FIND_NEWEST, [
    trees.map(({ tenantId }) => tenantId),
    trees.map(({ epoch }) => epoch),
  ]);
  return new Map(rows.map((row) => [treeName(row), { ...row, size: Number(row.size) }]));
}

/** Notes that these public keys (32 bytes each) sign. */
export async function recordLogKeys(tx: SystemTx, publicKeys: readonly Buffer[]): Promise<void> {
  await tx.execute(RECORD_KEYS, [publicKeys]);
}

const LIST_ERASED = statement<{ tenantId: string }>(
  'audit.list_erased',
  `select n.tenant_id as "tenantId"
   from unnest($1::uuid[]) n (tenant_id)
   where n.tenant_id <> '00000000-0000-0000-0000-000000000000'
     and not exists (select from events.heads h where h.tenant_id = n.tenant_id)`,
);

/** Those of the tenants whose rows are being erased, of which the newest tick of each goes first. */
export async function listErased(tx: SystemTx, tenantIds: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await tx.rows(LIST_ERASED, [tenantIds]);
  return new Set(rows.map(({ tenantId }) => tenantId));
}
