import { NotFound } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { ExportManifest, ExportRow } from './export-view';

const INSERT = statement<ExportRow>(
  'tenants.insert_export',
  `insert into tenants.exports (tenant_id, id, requested_by)
   values ($1, $2, tenancy.actor())
   returning id, status, rows_done, rows_total, byte_count, requested_by, requested_at, completed_at, expires_at`,
);

/** Exports that were asked for within a day: what the plan's quota counts. */
export const COUNT_EXPORTS_OF_A_DAY = statement<{ readonly count: bigint }>(
  'tenants.count_exports_of_a_day',
  `select count(*) as count
   from tenants.exports
   where tenant_id = $1 and requested_at > clock_timestamp() - interval '1 day'`,
);

const TABLES = statement<{ relation: string; rowCount: bigint }>(
  'tenants.list_export_tables',
  'select relation, row_count as "rowCount" from tenancy.export_tables() limit 1000',
);

const PAGE = statement<{ line: string; place: string }>(
  'tenants.read_export_page',
  'select line, place::text as place from tenancy.export_page($1, $2::jsonb, $3, $4) limit 1000',
);

const INSERT_CHUNK = statement(
  'tenants.insert_export_chunk',
  `insert into tenants.export_chunks (tenant_id, export_id, file, part, row_count, body)
   values ($1, $2, $3, $4, $5, $6)`,
);

const FIND_CHUNK = statement<{ body: Buffer; rows: number }>(
  'tenants.find_export_chunk',
  `select body, row_count as rows
   from tenants.export_chunks
   where tenant_id = $1 and export_id = $2 and file = $3 and part = $4`,
);

const DELETE_CHUNKS = statement(
  'tenants.delete_export_chunks',
  `delete from tenants.export_chunks
   where tenant_id = $1 and (export_id, file, part) in (
     select export_id, file, part from tenants.export_chunks where tenant_id = $1 and export_id = $2 limit $3)`,
);

const UPDATE = statement(
  'tenants.update_export',
  `update tenants.exports
   set status = coalesce($3, status),
     rows_total = coalesce($4, rows_total),
     rows_done = rows_done + coalesce($5, 0),
     byte_count = byte_count + coalesce($6, 0),
     manifest = coalesce($7, manifest),
     completed_at = case when $3 = 'completed' then clock_timestamp() else completed_at end,
     expires_at = case when $3 = 'completed' then clock_timestamp() + make_interval(secs => $8) else expires_at end
   where tenant_id = $1 and id = $2`,
);

const HEAD = statement<{ slug: string; requestedAt: Date }>(
  'tenants.find_export_head',
  `select t.slug, e.requested_at as "requestedAt"
   from tenants.exports e
   join tenants.tenants t on t.tenant_id = $1
   where e.tenant_id = $1 and e.id = $2`,
);

/** Stores a request for an export. */
export async function insertExport(tx: TenantTx, id: string): Promise<ExportRow> {
  const row = await tx.row(INSERT, [tx.tenantId, id]);
  if (!row) throw new Error('the insert of an export returned nothing');
  return row;
}

/** The tables that an export holds, in the order in which they can be filled again, with the rows that they have. */
export function listExportTables(tx: TenantTx): Promise<{ relation: string; rowCount: bigint }[]> {
  return tx.rows(TABLES);
}

/** The next rows of a table, at least one and at most so many rows or bytes, behind the place that the page before ended with. */
export function readExportPage(
  tx: TenantTx,
  table: string,
  after: string | null,
  most: { readonly rows: number; readonly bytes: number },
): Promise<{ line: string; place: string }[]> {
  return tx.rows(PAGE, [table, after, most.rows, most.bytes]);
}

/** Stores what was read, gzipped. */
export async function insertChunk(
  tx: TenantTx,
  exportId: string,
  chunk: { readonly file: string; readonly part: number; readonly rows: number; readonly body: Buffer },
): Promise<void> {
  await tx.execute(INSERT_CHUNK, [tx.tenantId, exportId, chunk.file, chunk.part, chunk.rows, chunk.body]);
}

/** A stored chunk, or undefined behind the last. */
export function findChunk(
  tx: TenantTx,
  exportId: string,
  file: string,
  part: number,
): Promise<{ body: Buffer; rows: number } | undefined> {
  return tx.row(FIND_CHUNK, [tx.tenantId, exportId, file, part]);
}

/** Removes some of an export's chunks and answers how many. */
export function deleteChunks(tx: TenantTx, exportId: string, limit: number): Promise<number> {
  return tx.execute(DELETE_CHUNKS, [tx.tenantId, exportId, limit]);
}

/** What changes of an export; counts are added to what is there. */
export interface ExportChange {
  readonly status?: ExportRow['status'];
  readonly rowsTotal?: bigint;
  readonly rows?: number;
  readonly bytes?: number;
  readonly manifest?: ExportManifest;
  readonly keptSeconds?: number;
}

/** Writes a change of an export, under the lock of its task. */
export async function updateExport(tx: TenantTx, id: string, change: ExportChange): Promise<void> {
  const { status, rowsTotal, rows, bytes, manifest, keptSeconds } = change;
  const values = [status, rowsTotal, rows, bytes, manifest && JSON.stringify(manifest), keptSeconds];
  await tx.execute(UPDATE, [tx.tenantId, id, ...values.map((value) => value ?? null)]);
}

/** What a manifest says of the export beside its files. Throws NotFound. */
export async function getExportHead(tx: TenantTx, id: string): Promise<{ slug: string; requestedAt: Date }> {
  const head = await tx.row(HEAD, [tx.tenantId, id]);
  if (!head) throw new NotFound();
  return head;
}
