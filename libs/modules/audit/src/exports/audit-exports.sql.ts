import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { AuditEventRow } from '../trail/audit-event-view';
import type { AuditExportInput, AuditExportRow } from './audit-export-view';

const INSERT = statement<AuditExportRow>(
  'audit.insert_export',
  `insert into audit.exports (tenant_id, id, format, filters, requested_by)
   values ($1, $2, $3, $4, tenancy.actor())
   returning id, format, status, rows_done, rows_total, byte_count, sha256, requested_by, requested_at, completed_at, expires_at`,
);

/** Exports of the trail that were asked for within a day: what the plan's quota counts. */
export const COUNT_AUDIT_EXPORTS_OF_A_DAY = statement<{ readonly count: bigint }>(
  'audit.count_exports_of_a_day',
  `select count(*) as count
   from audit.exports
   where tenant_id = $1 and requested_at > clock_timestamp() - interval '1 day'`,
);

const FIND_ORDER = statement<{
  format: AuditExportRow['format'];
  filters: ExportFilters;
  leaves: string | null;
  through: string | null;
}>(
  'audit.find_export_order',
  `select x.format, x.filters,
     (select sum(t.size)::text from audit.trees t where t.tenant_id = $1) as leaves,
     (select max(e.seq)::text from events.log e where e.tenant_id = $1) as through
   from audit.exports x
   where x.tenant_id = $1 and x.id = $2`,
);

const INSERT_CHUNK = statement(
  'audit.insert_export_chunk',
  `insert into audit.export_chunks (tenant_id, export_id, first_byte, byte_count, body)
   values ($1, $2, $3, $4, $5)`,
);

const FIND_CHUNK = statement<{ firstByte: number; body: Buffer }>(
  'audit.find_export_chunk',
  `select first_byte::float8 as "firstByte", body
   from audit.export_chunks
   where tenant_id = $1 and export_id = $2 and first_byte <= $3
   order by first_byte desc
   limit 1`,
);

const DELETE_CHUNKS = statement(
  'audit.delete_export_chunks',
  `delete from audit.export_chunks
   where tenant_id = $1 and (export_id, first_byte) in (
     select export_id, first_byte from audit.export_chunks where tenant_id = $1 and export_id = $2 limit $3)`,
);

const UPDATE = statement(
  'audit.update_export',
  `update audit.exports
   set status = coalesce($3, status),
     rows_total = coalesce($4, rows_total),
     rows_done = rows_done + coalesce($5, 0),
     byte_count = byte_count + coalesce($6, 0),
     sha256 = coalesce($7, sha256),
     completed_at = case when $3 = 'completed' then clock_timestamp() else completed_at end,
     expires_at = case when $3 = 'completed' then clock_timestamp() + make_interval(secs => $8) else expires_at end
   where tenant_id = $1 and id = $2`,
);

// A page of what there is, whatever the filters let through of it: its end is where the next begins.
const FIND_PAGE_END = statement<{ seq: string | null }>(
  'audit.find_export_page_end',
  `select max(p.seq)::text as seq
   from (
     select e.seq, octet_length(e.data::text) as own, sum(octet_length(e.data::text)) over (order by e.seq) as bytes
     from (
       select l.seq, l.data from events.log l
       where l.tenant_id = $1 and l.seq > $2 and l.seq <= $3
       order by l.seq
       limit $4) e) p
   where p.bytes - p.own < $5`,
);

const LIST_EVENTS = statement<AuditEventRow>(
  'audit.list_events_to_export',
  `select id, type, schema_version, stream_type, stream_id, stream_version, actor, act, correlation_id,
     causation_id, traceparent, to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as occurred_at, data
   from events.log
   where tenant_id = $1 and seq > $2 and seq <= $3
     and ($4::text is null or actor = $4)
     and ($5::text is null or type = $5)
     and ($6::timestamptz is null or occurred_at >= $6)
     and ($7::timestamptz is null or occurred_at < $7)
     and ($8::text is null or (stream_type = $8 and stream_id = $9::uuid))
   order by seq
   limit 10000`,
);

/** Payloads of a page in bytes; the last event may lie over it. */
const BYTES_MAX = 4 * 1_048_576;

/** What an export leaves out. */
export type ExportFilters = Omit<AuditExportInput, 'format'>;

/** Stores a request for an export. */
export async function insertAuditExport(
  tx: TenantTx,
  id: string,
  { format, ...filters }: AuditExportInput,
): Promise<AuditExportRow> {
  const row = await tx.row(INSERT, [tx.tenantId, id, format, JSON.stringify(filters)]);
  if (!row) throw new Error('the insert of an export returned nothing');
  return row;
}

/** What is to be exported: how many leaves there are, and the newest event. */
export async function getExportOrder(
  tx: TenantTx,
  id: string,
): Promise<{
  format: AuditExportRow['format'];
  filters: ExportFilters;
  leaves: string | null;
  through: string | null;
}> {
  const order = await tx.row(FIND_ORDER, [tx.tenantId, id]);
  if (!order) throw new Error(`there is no export ${id}`);
  return order;
}

/** The next events behind a place that the filters let through, and where they end; undefined behind the last. */
export async function readEventsToExport(
  tx: TenantTx,
  filters: ExportFilters,
  range: { readonly after: string; readonly through: string; readonly limit: number },
): Promise<{ readonly events: AuditEventRow[]; readonly seq: string } | undefined> {
  const end = await tx.row(FIND_PAGE_END, [tx.tenantId, range.after, range.through, range.limit, BYTES_MAX]);
  if (!end?.seq) return undefined;
  const { actor, type, from, to, stream } = filters;
  const [streamType, streamId] = stream?.split('/') ?? [];
  const values = [actor, type, from, to, streamType, streamId].map((value) => value ?? null);
  return { events: await tx.rows(LIST_EVENTS, [tx.tenantId, range.after, end.seq, ...values]), seq: end.seq };
}

/** Stores a piece of the file, gzipped. */
export async function insertAuditChunk(
  tx: TenantTx,
  exportId: string,
  chunk: { readonly firstByte: number; readonly byteCount: number; readonly body: Buffer },
): Promise<void> {
  await tx.execute(INSERT_CHUNK, [tx.tenantId, exportId, chunk.firstByte, chunk.byteCount, chunk.body]);
}

/** The piece that holds this byte, or the last one before it; undefined where there is none. */
export function findAuditChunk(
  tx: TenantTx,
  exportId: string,
  byte: number,
): Promise<{ firstByte: number; body: Buffer } | undefined> {
  return tx.row(FIND_CHUNK, [tx.tenantId, exportId, byte]);
}

/** Removes some of an export's pieces and answers how many. */
export function deleteAuditChunks(tx: TenantTx, exportId: string, limit: number): Promise<number> {
  return tx.execute(DELETE_CHUNKS, [tx.tenantId, exportId, limit]);
}

/** What changes of an export; counts are added to what is there. */
export interface AuditExportChange {
  readonly status?: AuditExportRow['status'];
  readonly rowsTotal?: string;
  readonly rows?: number;
  readonly bytes?: number;
  readonly sha256?: string;
  readonly keptSeconds?: number;
}

/** Writes a change of an export, under the lock of its task. */
export async function updateAuditExport(tx: TenantTx, id: string, change: AuditExportChange): Promise<void> {
  const { status, rowsTotal, rows, bytes, sha256, keptSeconds } = change;
  const values = [status, rowsTotal, rows, bytes, sha256, keptSeconds];
  await tx.execute(UPDATE, [tx.tenantId, id, ...values.map((value) => value ?? null)]);
}
