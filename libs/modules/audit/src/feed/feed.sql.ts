import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { AuditEventRow } from '../trail/audit-event-view';

/** A tree of the tenant's log, as far as a stored checkpoint covers it. */
export interface FeedEpoch {
  readonly epoch: number;
  readonly entry: string;
  /** Leaves under the newest checkpoint. */
  readonly size: bigint;
  /** Rows of events below this leaf may be gone. */
  readonly pruned_to: bigint;
}

// In one statement: an epoch that has a successor has its last checkpoint. One that ended without any is passed over.
const LIST_EPOCHS = statement<FeedEpoch>(
  'audit.list_feed_epochs',
  `select e.epoch, e.entry, e.pruned_to, coalesce(c.size, 0) as size
   from audit.epochs e
   left join lateral (
     select max(c.size) as size
     from audit.checkpoints c
     where c.tenant_id = $1 and c.epoch = e.epoch
   ) c on true
   where e.tenant_id = $1 and e.epoch >= $2 and (e.epoch = $2 or c.size > 0)
   order by e.epoch
   limit 2`,
);

const FIND_NEWEST = statement<{ readonly epoch: number; readonly size: bigint }>(
  'audit.find_newest_feed_position',
  `select c.epoch, c.size
   from audit.checkpoints c
   where c.tenant_id = $1
   order by c.epoch desc, c.size desc
   limit 1`,
);

const LIST_LEAVES = statement<{ readonly tile: bigint; readonly event_ids: string[] }>(
  'audit.list_feed_leaves',
  `select tile, event_ids
   from audit.leaves
   where tenant_id = $1 and epoch = $2 and tile between $3 and $4
   order by tile
   limit $4 - $3 + 1`,
);

const LIST_EVENTS = statement<AuditEventRow>(
  'audit.list_feed_events',
  `select id, type, schema_version, stream_type, stream_id, stream_version, actor, act, correlation_id,
     causation_id, traceparent, to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as occurred_at, data
   from events.log
   where tenant_id = $1 and id = any($2::uuid[])
   limit cardinality($2::uuid[])`,
);

/** Hashes in a tile, and events in a row of leaves. */
const TILE_WIDTH = 256n;

/** The tree of the epoch, or the first one behind it; and the one behind that. */
export function listEpochs(tx: TenantTx, epoch: number): Promise<FeedEpoch[]> {
  return tx.rows(LIST_EPOCHS, [tx.tenantId, epoch]);
}

/** Where the log ends, as far as checkpoints go. */
export function findNewest(
  tx: TenantTx,
): Promise<{ readonly epoch: number; readonly size: bigint } | undefined> {
  return tx.row(FIND_NEWEST, [tx.tenantId]);
}

/** The ids of the events of the leaves from `start` to below `end`, in their order. */
export async function listLeaves(tx: TenantTx, epoch: number, start: bigint, end: bigint): Promise<string[]> {
  const first = start / TILE_WIDTH;
  const rows = await tx.rows(LIST_LEAVES, [tx.tenantId, epoch, first, (end - 1n) / TILE_WIDTH]);
  const ids = rows.flatMap(({ event_ids: ofTile }) => ofTile);
  const skipped = Number(start - first * TILE_WIDTH);
  return ids.slice(skipped, skipped + Number(end - start));
}

/** Events by their ids, as far as their rows are there. In no order. */
export function findEvents(tx: TenantTx, ids: readonly string[]): Promise<AuditEventRow[]> {
  return tx.rows(LIST_EVENTS, [tx.tenantId, ids]);
}
