import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { AuditEventRow } from '../trail/audit-event-view';

/** Of one page of a stream that is folded. */
const PAGE_SIZE = 500;

const READ = statement<AuditEventRow>(
  'audit.read_stream',
  `select id, type, schema_version, stream_type, stream_id, stream_version, actor, act, correlation_id,
     causation_id, traceparent, to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as occurred_at, data
   from events.log
   where tenant_id = $1 and stream_type = $2 and stream_id = $3 and stream_version > $4
   order by stream_version
   limit $5`,
);

/** The events of a stream behind a version, in their order, at most so many. */
export async function* readStream(
  tx: TenantTx,
  stream: { readonly type: string; readonly id: string },
  max: number,
): AsyncGenerator<AuditEventRow, void, undefined> {
  let version = 0n;
  for (let left = max; left > 0;) {
    const size = Math.min(PAGE_SIZE, left);
    const rows = await tx.rows(READ, [tx.tenantId, stream.type, stream.id, version, size]);
    yield* rows;
    const last = rows.at(-1);
    if (!last || rows.length < size) return;
    version = last.stream_version;
    left -= rows.length;
  }
}
