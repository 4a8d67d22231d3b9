import type { CommittedEvent } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** What the log has where a receipt says that an event is. */
export interface LoggedEvent {
  readonly id: string;
  readonly type: string;
  readonly stream_type: string;
  readonly stream_id: string;
  readonly stream_version: bigint;
  /** The text of the jsonb. */
  readonly data: string;
}

/** Where the sealed log has an event. */
export interface SealedPlace {
  readonly epoch: number;
  readonly index: bigint;
  /** Rows below this leaf may be gone. */
  readonly pruned_to: bigint;
}

const FIND_BY_ID = statement<LoggedEvent>(
  'audit.find_receipted_event',
  `select id, type, stream_type, stream_id, stream_version, data::text as data
   from events.log
   where tenant_id = $1 and id = $2`,
);

// Where the version is not known either, the type stands once in its stream.
const FIND_IN_STREAM = statement<LoggedEvent>(
  'audit.find_receipted_event_in_stream',
  `select id, type, stream_type, stream_id, stream_version, data::text as data
   from events.log
   where tenant_id = $1 and stream_type = $2 and stream_id = $3 and type = $4
     and ($5::bigint is null or stream_version = $5)
   order by stream_version
   limit 1`,
);

// Reads all leaves of the tenant, for an event that is missed alone.
const FIND_PLACE = statement<SealedPlace>(
  'audit.find_sealed_place',
  `select l.epoch, l.tile * 256 + array_position(l.event_ids, $2::uuid) - 1 as index, e.pruned_to
   from audit.leaves l
   join audit.epochs e on e.tenant_id = l.tenant_id and e.epoch = l.epoch
   where l.tenant_id = $1 and l.event_ids @> array[$2::uuid]
   order by l.epoch desc
   limit 1`,
);

// The retention removes the first versions of a stream, and never its last.
const BEGINS_LATER = statement<{ readonly isPruned: boolean }>(
  'audit.is_receipted_event_pruned',
  `select coalesce(min(e.stream_version) > coalesce($4::bigint, 1), false)
     and exists (select from audit.epochs p where p.tenant_id = $1 and p.pruned_to > 0) as "isPruned"
   from events.log e
   where e.tenant_id = $1 and e.stream_type = $2 and e.stream_id = $3`,
);

const FIND_KEY = statement<{ readonly entry: string; readonly certificate: string | null }>(
  'audit.find_receipt_key_entry',
  'select entry, certificate from audit.receipt_keys where id = $1',
);

/** The event of the log that the receipt can only mean. */
export function findReceiptedEvent(
  tx: TenantTx,
  { id, type, stream }: CommittedEvent,
): Promise<LoggedEvent | undefined> {
  if (id !== undefined) return tx.row(FIND_BY_ID, [tx.tenantId, id]);
  return tx.row(FIND_IN_STREAM, [tx.tenantId, stream.type, stream.id, type, stream.version ?? null]);
}

/** Where the sealed log has an event, or undefined. */
export function findSealedPlace(tx: TenantTx, id: string): Promise<SealedPlace | undefined> {
  return tx.row(FIND_PLACE, [tx.tenantId, id]);
}

/** Whether rows were pruned, and the stream begins behind the event. */
export async function isBeforeStream(tx: TenantTx, { stream }: CommittedEvent): Promise<boolean> {
  const values = [tx.tenantId, stream.type, stream.id, stream.version ?? null];
  return (await tx.row(BEGINS_LATER, values))?.isPruned ?? false;
}

/** The key as it is registered. */
export function findReceiptKey(
  tx: TenantTx,
  id: string,
): Promise<{ readonly entry: string; readonly certificate: string | null } | undefined> {
  return tx.row(FIND_KEY, [id]);
}
