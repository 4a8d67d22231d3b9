import { statement } from '@holdfast/database';
import type { RecordedEvent } from '@holdfast/events';
import type { TenantTx } from '@holdfast/tenancy';
import { type Snapshot, writeSnapshot } from './snapshot';

const READ = statement<RecordedEvent>(
  'delivery.read_tenant_span',
  `select seq, id, tenant_id as "tenantId", stream_type as "streamType", stream_id as "streamId",
     stream_version as "streamVersion", type, schema_version as "schemaVersion", actor, act,
     correlation_id as "correlationId", causation_id as "causationId", traceparent,
     to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "occurredAt", data
   from events.read_tenant_span($1, $2::pg_snapshot, $3::pg_snapshot, $4, $5)`,
);

/** A page of the tenant's events that `to` shows and `from` does not, in order, behind `afterSeq`. */
export function listTenantSpan(
  tx: TenantTx,
  { from, to, afterSeq }: { readonly from: Snapshot; readonly to: Snapshot; readonly afterSeq: bigint },
  limit: number,
): Promise<RecordedEvent[]> {
  return tx.rows(READ, [tx.tenantId, writeSnapshot(from), writeSnapshot(to), afterSeq, limit]);
}
