import { statement, type Transaction } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { RecordedEvent } from './recorded-event';

/** Where a group stands in a tenant's events. It waits while a failure's backoff lasts; `newest` is the log's last tick. */
export interface TenantCursor {
  readonly fromTick: bigint;
  readonly toTick: bigint | null;
  readonly afterSeq: bigint;
  readonly attempts: number;
  readonly isWaiting: boolean;
  readonly isPaused: boolean;
  readonly newest: bigint;
  /** Where operators have asked the tenant to go back to; null where they have not. */
  readonly rewindTo: bigint | null;
}

const LOCK = statement<TenantCursor>(
  'events.lock_tenant_cursor',
  `select c.from_tick as "fromTick", c.to_tick as "toTick", c.after_seq as "afterSeq", c.attempts,
     coalesce(c.retry_at > clock_timestamp(), false) as "isWaiting", g.paused_at is not null as "isPaused",
     (select max(t.id) from events.ticks t) as newest,
     least(c.rewind_to, case when c.generation < g.generation then (
       select min(a.to_tick)
       from events.group_actions a
       where a.group_name = g.name and a.generation > greatest(c.generation, -1 - c.generation)) end) as "rewindTo"
   from events.tenant_cursors c
   join events.groups g on g.name = c.group_name
   where c.tenant_id = $1 and c.group_name = $2
     and coalesce((
       select l.stopped_at is null and l.server_started_at = pg_postmaster_start_time()
       from events.lineage l order by l.id desc limit 1), true)
   for update of c skip locked`,
);

const INSERT = statement(
  'events.insert_tenant_cursor',
  `insert into events.tenant_cursors (tenant_id, group_name, from_tick, generation)
   select $1, g.name, g.from_tick, g.generation
   from events.groups g
   where g.name = $2
   on conflict (tenant_id, group_name) do nothing`,
);

const READ = statement<RecordedEvent>(
  'events.read_tenant_range',
  `select seq, id, tenant_id as "tenantId", stream_type as "streamType", stream_id as "streamId",
     stream_version as "streamVersion", type, schema_version as "schemaVersion", actor, act,
     correlation_id as "correlationId", causation_id as "causationId", traceparent,
     to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "occurredAt", data
   from events.read_tenant_range($1, $2, $3, $4, $5)`,
);

/** What `events.take_page` says behind the events of a page. */
interface PageEnd {
  readonly state: 'page' | 'paused' | 'waiting' | 'outdated' | null;
  readonly fromTick: bigint;
  readonly toTick: bigint | null;
  readonly afterSeq: bigint;
  readonly isMore: boolean;
  readonly isParking: boolean;
  readonly isDue: boolean;
}

const TAKE = statement<RecordedEvent & PageEnd>(
  'events.take_page',
  `select seq, id, tenant_id as "tenantId", stream_type as "streamType", stream_id as "streamId",
     stream_version as "streamVersion", type, schema_version as "schemaVersion", actor, act,
     correlation_id as "correlationId", causation_id as "causationId", traceparent,
     to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "occurredAt", data,
     state, from_tick as "fromTick", to_tick as "toTick", after_seq as "afterSeq", is_more as "isMore",
     is_parking as "isParking", is_due as "isDue"
   from events.take_page($1, $2, $3)`,
);

/** A page of a tenant's events for a group, whose cursor is locked. */
export interface TakenPage extends PageEnd {
  readonly state: 'page' | 'paused' | 'waiting' | 'outdated';
  readonly events: readonly RecordedEvent[];
}

const ADVANCE = statement(
  'events.advance_tenant_cursor',
  `update events.tenant_cursors
   set from_tick = $3, to_tick = $4, after_seq = $5, attempts = 0, retry_at = null, last_error = null
   where tenant_id = $1 and group_name = $2`,
);

const POSTPONE = statement(
  'events.postpone_tenant_cursor',
  `insert into events.tenant_cursors as c (tenant_id, group_name, from_tick, generation, attempts, retry_at, last_error)
   select $1, g.name, g.from_tick, g.generation, 1, clock_timestamp() + make_interval(secs => $3::float8 * least($4::float8, $5)), $6
   from events.groups g
   where g.name = $2
   on conflict (tenant_id, group_name) do update
   set attempts = c.attempts + 1,
     retry_at = clock_timestamp()
       + make_interval(secs => $3::float8 * least($4::float8 * power(2, least(c.attempts, 30)), $5)),
     last_error = excluded.last_error`,
);

/**
 * Locks the group's cursor, which is created where the group begins; undefined when another worker holds it, or nobody has
 * registered the group.
 */
export async function lockTenantCursor(tx: TenantTx, group: string): Promise<TenantCursor | undefined> {
  const locked = await tx.row(LOCK, [tx.tenantId, group]);
  if (locked) return locked;
  const inserted = await tx.execute(INSERT, [tx.tenantId, group]);
  return inserted === 1 ? tx.row(LOCK, [tx.tenantId, group]) : undefined;
}

/**
 * Locks the group's cursor, reads a page of at most `limit` events behind it, and moves the cursor past it. Where the page is
 * full, `toTick` is set, and moving the cursor to its last event is the caller's. Undefined when another worker holds the cursor, or
 * nobody has registered the group.
 */
export async function takePage(tx: TenantTx, group: string, limit: number): Promise<TakenPage | undefined> {
  const rows = await tx.rows(TAKE, [tx.tenantId, group, limit]);
  const end = rows.pop();
  if (!end?.state) return undefined;
  const { state, fromTick, toTick, afterSeq, isMore, isParking, isDue } = end;
  return { state, fromTick, toTick, afterSeq, isMore, isParking, isDue, events: rows.map(eventOf) };
}

function eventOf(row: RecordedEvent): RecordedEvent {
  return {
    seq: row.seq,
    id: row.id,
    tenantId: row.tenantId,
    streamType: row.streamType,
    streamId: row.streamId,
    streamVersion: row.streamVersion,
    type: row.type,
    schemaVersion: row.schemaVersion,
    actor: row.actor,
    act: row.act,
    correlationId: row.correlationId,
    causationId: row.causationId,
    traceparent: row.traceparent,
    occurredAt: row.occurredAt,
    data: row.data,
  };
}

/** A page of the tenant's events between two ticks, in order. */
export function listTenantRange(
  tx: TenantTx,
  range: { readonly fromTick: bigint; readonly toTick: bigint; readonly afterSeq: bigint },
  limit: number,
): Promise<RecordedEvent[]> {
  return tx.rows(READ, [tx.tenantId, range.fromTick, range.toTick, range.afterSeq, limit]);
}

/** Moves the cursor to `fromTick` or, within a range, to `afterSeq`; forgets failures. */
export async function markTenantDelivered(
  tx: TenantTx,
  group: string,
  to: { readonly fromTick: bigint; readonly toTick: bigint | null; readonly afterSeq: bigint },
): Promise<void> {
  await tx.execute(ADVANCE, [tx.tenantId, group, to.fromTick, to.toTick, to.afterSeq]);
}

/** A wait before the next attempt: a `share` between 0 and 1 of `baseMs`, doubled with each failure in a row up to `capMs`. */
export interface Postponement {
  readonly share: number;
  readonly baseMs: number;
  readonly capMs: number;
  readonly error: string;
}

/** Notes a failure: the group tries the tenant again after the wait (full jitter, where the share is random). */
export async function markTenantFailed(
  tx: TenantTx,
  group: string,
  { share, baseMs, capMs, error }: Postponement,
): Promise<void> {
  await tx.execute(POSTPONE, [tx.tenantId, group, share, baseMs / 1_000, capMs / 1_000, error]);
}

const REWIND = statement(
  'events.rewind_tenant_cursor',
  `update events.tenant_cursors c
   set from_tick = coalesce($3, c.from_tick), to_tick = case when $3 is null then c.to_tick end,
     after_seq = case when $3 is null then c.after_seq else 0 end, attempts = 0, retry_at = null, last_error = null,
     rewind_to = null, generation = (select g.generation from events.groups g where g.name = $2)
   where c.tenant_id = $1 and c.group_name = $2`,
);

// A generation below zero is none that the group is at, so the cursor counts as outdated; -1 - n remembers n.
const ASK = statement(
  'events.ask_tenant_to_rewind',
  `insert into events.tenant_cursors as c (tenant_id, group_name, from_tick, generation, rewind_to)
   select $1, g.name, least(g.from_tick, $3), -1 - g.generation, least(g.from_tick, $3)
   from events.groups g
   where g.name = $2
   on conflict (tenant_id, group_name) do update
   set rewind_to = least(c.rewind_to, $3, c.from_tick), generation = least(c.generation, -1 - c.generation)`,
);

const TICK_AT = statement<{ id: bigint }>(
  'events.find_tick_at_or_before',
  'select coalesce(max(t.id), 0)::bigint as id from events.ticks t where t.id <= $1',
);

/**
 * The newest tick at or before the one that was asked for, which may have been thinned before anybody saw that it was
 * asked for.
 */
export async function findTickAtOrBefore(tx: Transaction, tick: bigint): Promise<bigint> {
  return (await tx.row(TICK_AT, [tick]))?.id ?? 0n;
}

/** Takes the locked cursor back to `tick`, and to the group's generation. Without a tick it stays where it is. */
export async function rewindTenantCursor(
  tx: TenantTx,
  group: string,
  tick: bigint | undefined,
): Promise<void> {
  await tx.execute(REWIND, [tx.tenantId, group, tick]);
}

/**
 * Asks the group to go back to `tick` in the tenant, before its next delivery there; further back where that was asked
 * before. It never goes ahead. Answers false where there is no such group.
 */
export async function askTenantToRewind(tx: TenantTx, group: string, tick: bigint): Promise<boolean> {
  return (await tx.execute(ASK, [tx.tenantId, group, tick])) === 1;
}
