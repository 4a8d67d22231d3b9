import { statement } from '@holdfast/database';
import type { FoldedEvent, TenantTx } from '@holdfast/tenancy';

// Up to the first event that happened later, in the order of versions: where a clock went back, an event behind it that says
// an earlier time is not taken without the one before it.
const LIST_OF_STREAM = statement<FoldedEvent>(
  'audit.list_folded_events',
  `select id, stream_type as "streamType", stream_id as "streamId", stream_version as "streamVersion", type,
     schema_version as "schemaVersion", to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "occurredAt", data
   from events.log
   where tenant_id = $1 and stream_type = $2 and stream_id = $3 and stream_version > $4
     and ($5::timestamptz is null or stream_version < coalesce((
       select min(b.stream_version) from events.log b
       where b.tenant_id = $1 and b.stream_type = $2 and b.stream_id = $3 and b.occurred_at > $5), 9223372036854775807))
   order by stream_version
   limit $6`,
);

// A look-up of its own for each stream, by the unique key.
const LIST_OF_STREAMS = statement<FoldedEvent>(
  'audit.list_folded_events_of_streams',
  `select l.id, l.stream_type as "streamType", l.stream_id as "streamId", l.stream_version as "streamVersion", l.type,
     l.schema_version as "schemaVersion", to_char(l.occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "occurredAt", l.data
   from unnest($2::text[], $3::uuid[]) with ordinality s (stream_type, stream_id, place)
   cross join lateral (
     select e.id, e.stream_type, e.stream_id, e.stream_version, e.type, e.schema_version, e.occurred_at, e.data
     from events.log e
     where e.tenant_id = $1 and e.stream_type = s.stream_type and e.stream_id = s.stream_id
       and ($4::timestamptz is null or e.stream_version < coalesce((
         select min(b.stream_version) from events.log b
         where b.tenant_id = $1 and b.stream_type = s.stream_type and b.stream_id = s.stream_id and b.occurred_at > $4),
         9223372036854775807))
     order by e.stream_version
     limit $5) l
   order by s.place, l.stream_version
   limit $5`,
);

const LIST_OF_TYPE = statement<FoldedEvent>(
  'audit.list_folded_events_of_type',
  `select id, stream_type as "streamType", stream_id as "streamId", stream_version as "streamVersion", type,
     schema_version as "schemaVersion", to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "occurredAt", data
   from events.log
   where tenant_id = $1 and stream_type = $2 and (stream_id, stream_version) > ($3, $4)
   order by stream_id, stream_version
   limit $5`,
);

// One look-up by the unique key, however many events the type has.
const NEXT_STREAM_TYPE = statement<{ readonly streamType: string }>(
  'audit.next_stream_type',
  `select stream_type as "streamType"
   from events.log
   where tenant_id = $1 and stream_type > $2
   order by stream_type
   limit 1`,
);

const IS_PRUNED = statement<{ readonly isPruned: boolean }>(
  'audit.is_pruned',
  'select coalesce(max(pruned_to), 0) > 0 as "isPruned" from audit.epochs where tenant_id = $1',
);

// Sessions end a transaction after half a minute; servers before 17 have no such setting.
const LIFT_TIMEOUT = statement(
  'audit.lift_transaction_timeout',
  `select set_config('transaction_timeout', '0', true) as lifted from pg_settings where name = 'transaction_timeout'`,
);

/** Lets the transaction take as long as it takes. Each statement of it still has its own limit. */
export async function liftTimeout(tx: TenantTx): Promise<void> {
  await tx.rows(LIFT_TIMEOUT);
}

/** A stream by its name. */
export interface StreamName {
  readonly streamType: string;
  readonly streamId: string;
}

/** The first events of a stream behind a version, up to an instant, that instant included; null for all. */
export function listEventsOfStream(
  tx: TenantTx,
  { streamType, streamId }: StreamName,
  {
    after = 0n,
    at = null,
    limit,
  }: { readonly after?: bigint; readonly at?: string | null; readonly limit: number },
): Promise<FoldedEvent[]> {
  return tx.rows(LIST_OF_STREAM, [tx.tenantId, streamType, streamId, after, at, limit]);
}

/** The first events of several streams, each stream's in their order, up to an instant, that instant included. */
export function listEventsOfStreams(
  tx: TenantTx,
  streams: readonly StreamName[],
  { at, limit }: { readonly at: string | null; readonly limit: number },
): Promise<FoldedEvent[]> {
  const types = streams.map(({ streamType }) => streamType);
  const ids = streams.map(({ streamId }) => streamId);
  return tx.rows(LIST_OF_STREAMS, [tx.tenantId, types, ids, at, limit]);
}

/** A page of all events on streams of a type, stream by stream in the order of their ids. */
export function listEventsOfType(
  tx: TenantTx,
  streamType: string,
  after: { readonly streamId: string; readonly streamVersion: bigint },
  limit: number,
): Promise<FoldedEvent[]> {
  return tx.rows(LIST_OF_TYPE, [tx.tenantId, streamType, after.streamId, after.streamVersion, limit]);
}

/** The least stream type behind one of which the tenant has events. */
export async function findNextStreamType(tx: TenantTx, after: string): Promise<string | undefined> {
  return (await tx.row(NEXT_STREAM_TYPE, [tx.tenantId, after]))?.streamType;
}

/** Whether the retention has taken events of the tenant away. */
export async function isPruned(tx: TenantTx): Promise<boolean> {
  return (await tx.row(IS_PRUNED, [tx.tenantId]))?.isPruned ?? false;
}
