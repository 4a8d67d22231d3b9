import { statement, type SystemTx } from '@holdfast/database';
import type { RecordedEvent } from './recorded-event';
import type { Postponement } from './tenant-cursors.sql';

/** Where a store group stands. `throughSeq` ends a batch that may have been sent already. */
export interface StoreCursor {
  readonly fromTick: bigint;
  readonly toTick: bigint | null;
  readonly afterSeq: bigint;
  readonly throughSeq: bigint | null;
  readonly attempts: number;
  readonly isWaiting: boolean;
  readonly isPaused: boolean;
  /** How often the group has been replayed. */
  readonly generation: number;
  /** Where operators have asked the group to go back to; null where they have not. */
  readonly rewindTo: bigint | null;
}

const LOCK = statement<StoreCursor>(
  'events.lock_store_cursor',
  `select c.from_tick as "fromTick", c.to_tick as "toTick", c.after_seq as "afterSeq", c.through_seq as "throughSeq",
     c.attempts, c.generation, coalesce(c.retry_at > clock_timestamp(), false) as "isWaiting", g.paused_at is not null as "isPaused",
     least(c.rewind_to, case when c.generation < g.generation then (
       select min(a.to_tick)
       from events.group_actions a
       where a.group_name = g.name and a.generation > c.generation) end) as "rewindTo"
   from events.store_cursors c
   join events.groups g on g.name = c.group_name
   where c.group_name = $1
     and coalesce((
       select l.stopped_at is null and l.server_started_at = pg_postmaster_start_time()
       from events.lineage l order by l.id desc limit 1), true)
   for update of c skip locked`,
);

const INSERT = statement(
  'events.insert_store_cursor',
  `insert into events.store_cursors (group_name, from_tick, generation)
   select g.name, g.from_tick, g.generation
   from events.groups g
   where g.name = $1
   on conflict (group_name) do nothing`,
);

/** Counts by seq, which hardly has gaps: what a tick counted itself leaves out those before it that were thinned. */
const RANGE_END = statement<{ id: bigint | null }>(
  'events.find_range_end',
  `select max(ahead.id) as id
   from (
     select t.id, max(t.last_seq) over (order by t.id) as last_seq, row_number() over (order by t.id) as place
     from events.ticks t
     where t.id > $1
     order by t.id
     limit 1000
   ) ahead
   where ahead.place = 1
     or ahead.last_seq <= $2 + coalesce((select max(b.last_seq) from events.ticks b where b.id = $1), 0)`,
);

const READ = statement<RecordedEvent>(
  'events.read_range',
  `select seq, id, tenant_id as "tenantId", stream_type as "streamType", stream_id as "streamId",
     stream_version as "streamVersion", type, schema_version as "schemaVersion", actor, act,
     correlation_id as "correlationId", causation_id as "causationId", traceparent,
     to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "occurredAt", data
   from events.read_range($1, $2, $3, $4, $5)`,
);

const UPDATE = statement(
  'events.update_store_cursor',
  `update events.store_cursors
   set from_tick = $2, to_tick = $3, after_seq = $4, through_seq = $5
   where group_name = $1`,
);

const SETTLE = statement(
  'events.settle_store_cursor',
  'update events.store_cursors set attempts = 0, retry_at = null, last_error = null where group_name = $1 and attempts > 0',
);

const POSTPONE = statement(
  'events.postpone_store_cursor',
  `update events.store_cursors
   set attempts = attempts + 1,
     retry_at = clock_timestamp() + make_interval(secs => $2::float8 * least($3::float8 * power(2, least(attempts, 30)), $4)),
     last_error = $5
   where group_name = $1`,
);

/**
 * Locks the group's cursor, which is created where the group begins; undefined when another worker holds it, or nobody has
 * registered the group.
 */
export async function lockStoreCursor(tx: SystemTx, group: string): Promise<StoreCursor | undefined> {
  const locked = await tx.row(LOCK, [group]);
  if (locked) return locked;
  const inserted = await tx.execute(INSERT, [group]);
  return inserted === 1 ? tx.row(LOCK, [group]) : undefined;
}

const CONFIRM = statement(
  'events.confirm_store_cursor',
  'select group_name from events.store_cursors where group_name = $1 for update nowait',
);

/** Throws unless the transaction that has locked the group's cursor is still open, and with it the lock. */
export async function confirmStoreCursor(tx: SystemTx, group: string): Promise<void> {
  await tx.execute(CONFIRM, [group]);
}

/** The last tick such that the range up to it holds about `eventsMax` events at most; undefined at the log's end. */
export async function findRangeEnd(
  tx: SystemTx,
  fromTick: bigint,
  eventsMax: number,
): Promise<bigint | undefined> {
  return (await tx.row(RANGE_END, [fromTick, eventsMax]))?.id ?? undefined;
}

/** Events between two ticks, in order: up to `throughSeq` where that is set, else a page of `limit`. */
export function listRange(
  tx: SystemTx,
  range: {
    readonly fromTick: bigint;
    readonly toTick: bigint;
    readonly afterSeq: bigint;
    readonly throughSeq: bigint | null;
  },
  limit: number,
): Promise<RecordedEvent[]> {
  const { fromTick, toTick, afterSeq, throughSeq } = range;
  return tx.rows(READ, [fromTick, toTick, afterSeq, throughSeq, throughSeq === null ? limit : null]);
}

/** Writes the cursor. */
export async function updateStoreCursor(
  tx: SystemTx,
  group: string,
  cursor: Pick<StoreCursor, 'fromTick' | 'toTick' | 'afterSeq' | 'throughSeq'>,
): Promise<void> {
  await tx.execute(UPDATE, [group, cursor.fromTick, cursor.toTick, cursor.afterSeq, cursor.throughSeq]);
}

/** Forgets the failures before a batch that went well. */
export async function markStoreDelivered(tx: SystemTx, group: string): Promise<void> {
  await tx.execute(SETTLE, [group]);
}

/** Notes a failure; the wait before the next attempt is that of tenant groups. */
export async function markStoreFailed(
  tx: SystemTx,
  group: string,
  { share, baseMs, capMs, error }: Postponement,
): Promise<void> {
  await tx.execute(POSTPONE, [group, share, baseMs / 1_000, capMs / 1_000, error]);
}

const BEHIND = statement<{ name: string }>(
  'events.list_stores_behind',
  `select g.name
   from unnest($2::text[]) g (name)
   left join events.groups r on r.name = g.name
   left join events.store_cursors c on c.group_name = g.name
   left join events.ticks t on t.id = coalesce(c.from_tick, r.from_tick, 0)
   where t.id is null or c.rewind_to is not null or c.generation < r.generation or exists (
       select from events.log e
       where e.tenant_id = $1 and e.xid >= pg_snapshot_xmin(t.snapshot) and not pg_visible_in_snapshot(e.xid, t.snapshot))
     or exists (
       select from events.parked_keys k
       where k.tenant_id = $1 and k.group_name = g.name and k.retry_at is not null)
   order by 1
   limit 100`,
);

/**
 * The groups among these that have not been handed every event of the tenant, or may be handed one again. What is
 * quarantined is handed to nobody until an operator acts in the tenant.
 */
export async function listStoresBehind(
  tx: SystemTx,
  tenantId: string,
  groups: readonly string[],
): Promise<string[]> {
  return (await tx.rows(BEHIND, [tenantId, groups])).map(({ name }) => name);
}

const REWIND = statement(
  'events.rewind_store_cursor',
  `update events.store_cursors c
   set from_tick = coalesce($2, c.from_tick), to_tick = case when $2 is null then c.to_tick end,
     after_seq = case when $2 is null then c.after_seq else 0 end, through_seq = case when $2 is null then c.through_seq end,
     attempts = 0, retry_at = null, last_error = null, rewind_to = null, generation = (select g.generation from events.groups g where g.name = $1)
   where c.group_name = $1`,
);

const ASK = statement(
  'events.ask_store_to_rewind',
  'update events.store_cursors set rewind_to = least(rewind_to, from_tick) where group_name = $1',
);

/**
 * Takes the locked cursor back to `tick`, and to the group's generation; a batch that was recorded is forgotten. Without
 * a tick it stays where it is.
 */
export async function rewindStoreCursor(
  tx: SystemTx,
  group: string,
  tick: bigint | undefined,
): Promise<void> {
  await tx.execute(REWIND, [group, tick]);
}

/** Asks the group to begin again at the newest tick before its position, whose own tick is gone. */
export async function askStoreToRewind(tx: SystemTx, group: string): Promise<void> {
  await tx.execute(ASK, [group]);
}
