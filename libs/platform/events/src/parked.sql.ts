import { statement, type SystemTx, type Transaction } from '@holdfast/database';
import type { RecordedEvent } from './recorded-event';

/** Whose parked keys are meant. */
export interface ParkedIn {
  readonly tenantId: string;
  readonly group: string;
}

/** Whether a store group has parked keys, whether one of them is due, and whether a batch of one is recorded. */
export interface Parking {
  readonly isParking: boolean;
  readonly isDue: boolean;
  /** It is not known whether the store has the batch: nothing else may be sent before it. */
  readonly isUnsettled: boolean;
}

/** A key that was set aside and is due. */
export interface ParkedKey {
  readonly key: string;
  readonly state: 'retrying' | 'releasing';
  readonly attempts: number;
  readonly skipEventId: string | null;
  readonly throughPlace: bigint | null;
}

/** An event in its place behind a parked key. */
export interface ParkedEvent extends RecordedEvent {
  readonly place: bigint;
}

const WHICH = statement<{ key: string }>(
  'events.list_parked_among',
  `select key
   from events.parked_keys
   where tenant_id = $1 and group_name = $2 and key = any ($3::text[])`,
);

const PARK = statement(
  'events.park_key',
  `insert into events.parked_keys (tenant_id, group_name, key, state, attempts, retry_at, failed_event_id, last_error, quarantined_at)
   select $1, $2, $3, case when $4::float8 is null then 'quarantined' else 'retrying' end, 1,
     clock_timestamp() + make_interval(secs => $4::float8), $5, $6, case when $4::float8 is null then clock_timestamp() end`,
);

const COUNT = statement<{ events: bigint }>(
  'events.count_parked',
  `select coalesce(sum(event_count), 0)::bigint as events
   from events.parked_keys
   where tenant_id = $1 and group_name = $2`,
);

const APPEND = statement(
  'events.append_parked',
  `with behind as (
     select e.key, e.id, row_number() over (partition by e.key order by e.ordinal) as step
     from unnest($3::text[], $4::uuid[]) with ordinality e (key, id, ordinal)
   ), counted as (
     update events.parked_keys k
     set event_count = k.event_count + c.events
     from (select b.key, count(*) as events from behind b group by b.key) c
     where k.tenant_id = $1 and k.group_name = $2 and k.key = c.key
   )
   insert into events.parked_events (tenant_id, group_name, key, place, event_id)
   select $1, $2, b.key, b.step + coalesce(
     (select max(p.place) from events.parked_events p where p.tenant_id = $1 and p.group_name = $2 and p.key = b.key), 0), b.id
   from behind b`,
);

const DUE = statement<ParkedKey>(
  'events.find_due_key',
  `select key, state, attempts, skip_event_id as "skipEventId", through_place as "throughPlace"
   from events.parked_keys
   where tenant_id = $1 and group_name = $2 and coalesce(retry_at, 'infinity') <= clock_timestamp()
   order by retry_at, key
   limit 1`,
);

const READ = statement<ParkedEvent>(
  'events.list_parked_events',
  `select p.place, e.seq, e.id, e.tenant_id as "tenantId", e.stream_type as "streamType", e.stream_id as "streamId",
     e.stream_version as "streamVersion", e.type, e.schema_version as "schemaVersion", e.actor, e.act,
     e.correlation_id as "correlationId", e.causation_id as "causationId", e.traceparent,
     to_char(e.occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "occurredAt", e.data
   from events.parked_events p
   join events.log e on e.tenant_id = p.tenant_id and e.id = p.event_id
   where p.tenant_id = $1 and p.group_name = $2 and p.key = $3 and ($5::bigint is null or p.place <= $5)
   order by p.place
   limit $4`,
);

const PARKS = statement<{ tenantId: string; key: string }>(
  'events.list_parked_in_store',
  `select k.tenant_id as "tenantId", k.key
   from unnest($2::uuid[], $3::text[]) asked (tenant_id, key)
   join events.parked_keys k on k.tenant_id = asked.tenant_id and k.group_name = $1 and k.key = asked.key
   where k.tenant_id = any ($2)`,
);

const PARKING = statement<Parking>(
  'events.find_store_parking',
  `select exists (select from events.parked_keys k where k.group_name = $1 and k.retry_at is not null)
       or exists (select from events.parked_keys k where k.group_name = $1 and k.retry_at is null) as "isParking",
     exists (select from events.parked_keys k where k.group_name = $1 and k.retry_at <= clock_timestamp()) as "isDue",
     exists (select from events.parked_keys k where k.group_name = $1 and k.through_place is not null) as "isUnsettled"`,
);

const DUE_IN_STORE = statement<ParkedKey & { tenantId: string }>(
  'events.find_due_key_of_store',
  `select tenant_id as "tenantId", key, state, attempts, skip_event_id as "skipEventId", through_place as "throughPlace"
   from events.parked_keys
   where group_name = $1 and retry_at <= clock_timestamp() and (through_place is not null or not exists (
     select from events.parked_keys u where u.group_name = $1 and u.through_place is not null))
   order by retry_at, tenant_id, key
   limit 1`,
);

const BATCH = statement<{ throughPlace: bigint | null }>(
  'events.find_parked_batch',
  `select through_place as "throughPlace"
   from events.parked_keys
   where tenant_id = $1 and group_name = $2 and key = $3`,
);

const RECORD = statement(
  'events.record_parked_batch',
  `update events.parked_keys
   set through_place = $4
   where tenant_id = $1 and group_name = $2 and key = $3`,
);

const DONE = statement<{ eventCount: bigint }>(
  'events.settle_parked_events',
  `with done as (
     delete from events.parked_events
     where tenant_id = $1 and group_name = $2 and key = $3 and place <= $4
     returning place
   )
   update events.parked_keys
   set event_count = event_count - (select count(*) from done), attempts = 0, through_place = null, last_error = null,
     failed_event_id = null, skip_event_id = null
   where tenant_id = $1 and group_name = $2 and key = $3
   returning event_count as "eventCount"`,
);

const DROP = statement(
  'events.unpark_key',
  `delete from events.parked_keys
   where tenant_id = $1 and group_name = $2 and key = $3 and event_count = 0`,
);

const FAIL = statement(
  'events.fail_parked_key',
  `update events.parked_keys
   set attempts = attempts + 1, last_error = $5, failed_event_id = $6, through_place = null,
     state = case when $7::float8 is null then 'quarantined' else state end,
     quarantined_at = case when $7::float8 is null then clock_timestamp() end,
     retry_at = clock_timestamp() + make_interval(secs => $7::float8)
   where tenant_id = $1 and group_name = $2 and key = $3 and attempts = $4 and state <> 'quarantined'
     and $6 = (
       select p.event_id
       from events.parked_events p
       where p.tenant_id = $1 and p.group_name = $2 and p.key = $3
       order by p.place
       limit 1)`,
);

const WAIT = statement(
  'events.delay_parked_key',
  `update events.parked_keys
   set retry_at = clock_timestamp() + make_interval(secs => $4::float8), last_error = $5
   where tenant_id = $1 and group_name = $2 and key = $3 and state <> 'quarantined'`,
);

/** Which of the keys are parked. */
export async function listParkedAmong(
  tx: Transaction,
  { tenantId, group }: ParkedIn,
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  return new Set((await tx.rows(WHICH, [tenantId, group, keys])).map(({ key }) => key));
}

/**
 * Sets a key aside, until `retryInMs` have passed or, where that is undefined, until an operator releases it.
 * `failedEventId` is known when the event was delivered alone.
 */
export async function parkKey(
  tx: Transaction,
  { tenantId, group }: ParkedIn,
  key: string,
  failure: {
    readonly retryInMs: number | undefined;
    readonly error: string;
    readonly failedEventId?: string | undefined;
  },
): Promise<void> {
  const { retryInMs, error, failedEventId = null } = failure;
  await tx.execute(PARK, [tenantId, group, key, secondsOf(retryInMs), failedEventId, error]);
}

/** How many events are parked. */
export async function countParked(tx: Transaction, { tenantId, group }: ParkedIn): Promise<bigint> {
  return (await tx.row(COUNT, [tenantId, group]))?.events ?? 0n;
}

/** Puts the events behind what is parked of their keys, in the order given. */
export async function appendParked(
  tx: Transaction,
  { tenantId, group }: ParkedIn,
  events: readonly { readonly key: string; readonly id: string }[],
): Promise<void> {
  await tx.execute(APPEND, [tenantId, group, events.map(({ key }) => key), events.map(({ id }) => id)]);
}

/** The key that has been due for longest. */
export function findDueKey(tx: Transaction, { tenantId, group }: ParkedIn): Promise<ParkedKey | undefined> {
  return tx.row(DUE, [tenantId, group]);
}

/** The first events behind a key, in order; without a limit up to the end of its batch, which had one. */
export function listParkedEvents(
  tx: Transaction,
  { tenantId, group }: ParkedIn,
  key: string,
  limit: number | null,
  throughPlace: bigint | null = null,
): Promise<ParkedEvent[]> {
  return tx.rows(READ, [tenantId, group, key, limit, throughPlace]);
}

/** Notes the end of the batch that a store is about to be sent; null takes it back. */
export async function recordParkedBatch(
  tx: Transaction,
  { tenantId, group }: ParkedIn,
  key: string,
  throughPlace: bigint | null,
): Promise<void> {
  await tx.execute(RECORD, [tenantId, group, key, throughPlace]);
}

/** Removes the events up to `throughPlace`, which have taken effect or are dropped; answers how many are left. */
export async function settleParked(
  tx: Transaction,
  { tenantId, group }: ParkedIn,
  key: string,
  throughPlace: bigint,
): Promise<bigint> {
  return (await tx.row(DONE, [tenantId, group, key, throughPlace]))?.eventCount ?? 0n;
}

/** Ends the parking of a key behind which nothing is left. */
export async function unparkKey(tx: Transaction, { tenantId, group }: ParkedIn, key: string): Promise<void> {
  await tx.execute(DROP, [tenantId, group, key]);
}

/**
 * Notes that the event that stands first failed alone: it is tried again in `retryInMs`, or the key is quarantined where that
 * is undefined. Without effect when another worker has been at the key since (`attempts`).
 */
export async function failParkedKey(
  tx: Transaction,
  { tenantId, group }: ParkedIn,
  { key, attempts }: Pick<ParkedKey, 'key' | 'attempts'>,
  failure: { readonly retryInMs: number | undefined; readonly error: string; readonly eventId: string },
): Promise<void> {
  const { retryInMs, error, eventId } = failure;
  await tx.execute(FAIL, [tenantId, group, key, attempts, error, eventId, secondsOf(retryInMs)]);
}

function secondsOf(ms: number | undefined): number | null {
  return ms === undefined ? null : ms / 1_000;
}

/** Lets a due key wait, for a reason that is not its own. */
export async function delayParkedKey(
  tx: Transaction,
  { tenantId, group }: ParkedIn,
  key: string,
  retryInMs: number,
  error: string,
): Promise<void> {
  await tx.execute(WAIT, [tenantId, group, key, retryInMs / 1_000, error]);
}

/** Which of the keys are parked in a store group; keys of any tenants. */
export function listParkedInStore(
  tx: SystemTx,
  group: string,
  keys: readonly { readonly tenantId: string; readonly key: string }[],
): Promise<{ tenantId: string; key: string }[]> {
  return tx.rows(PARKS, [group, keys.map(({ tenantId }) => tenantId), keys.map(({ key }) => key)]);
}

/** Whether a store group has parked keys of any tenant, and whether one of them is due. */
export async function findStoreParking(tx: SystemTx, group: string): Promise<Parking> {
  return (await tx.row(PARKING, [group])) ?? { isParking: false, isDue: false, isUnsettled: false };
}

/** The key of a store group that has been due for longest, of any tenant; while a batch of one is recorded, that one or none. */
export function findDueKeyOfStore(
  tx: SystemTx,
  group: string,
): Promise<(ParkedKey & { readonly tenantId: string }) | undefined> {
  return tx.row(DUE_IN_STORE, [group]);
}

/** Whether the key's batch is still the one that was recorded; its sender may have been another meanwhile. */
export async function isParkedBatch(
  tx: SystemTx,
  { tenantId, group }: ParkedIn,
  key: string,
  throughPlace: bigint,
): Promise<boolean> {
  return (await tx.row(BATCH, [tenantId, group, key]))?.throughPlace === throughPlace;
}

const TAKE_BACK = statement(
  'events.take_back_parked',
  `with taken as (
     delete from events.parked_events p
     using events.log e, events.ticks t
     where p.tenant_id = $1 and p.group_name = $2 and e.tenant_id = $1 and e.id = p.event_id
       and t.id = $3 and not pg_visible_in_snapshot(e.xid, t.snapshot)
     returning p.key
   )
   update events.parked_keys k
   set event_count = k.event_count - c.events
   from (select t.key, count(*) as events from taken t group by t.key) c
   where k.tenant_id = $1 and k.group_name = $2 and k.key = c.key`,
);

const UNPARK = statement(
  'events.unpark_taken_back',
  'delete from events.parked_keys where tenant_id = $1 and group_name = $2 and event_count = 0',
);

const TAKE_BACK_OF_STORE = statement(
  'events.take_back_parked_of_store',
  `with taken as (
     delete from events.parked_events p
     using events.log e, events.ticks t
     where p.group_name = $1 and e.tenant_id = p.tenant_id and e.id = p.event_id
       and t.id = $2 and not pg_visible_in_snapshot(e.xid, t.snapshot)
     returning p.tenant_id, p.key
   )
   update events.parked_keys k
   set event_count = k.event_count - c.events, through_place = null
   from (select t.tenant_id, t.key, count(*) as events from taken t group by t.tenant_id, t.key) c
   where k.group_name = $1 and k.tenant_id = c.tenant_id and k.key = c.key`,
);

const UNPARK_OF_STORE = statement(
  'events.unpark_taken_back_of_store',
  'delete from events.parked_keys where group_name = $1 and event_count = 0',
);

/**
 * Forgets parked events that the log delivers once more behind `tick`. Those before it stay where they are and the others
 * come in behind them, so a key that is parked since before stays parked, in order.
 */
export async function takeBackParked(
  tx: Transaction,
  { tenantId, group }: ParkedIn,
  tick: bigint,
): Promise<void> {
  await tx.execute(TAKE_BACK, [tenantId, group, tick]);
  await tx.execute(UNPARK, [tenantId, group]);
}

/** The same for a store group, of all tenants. No batch of parked events is under way: the cursor is locked. */
export async function takeBackParkedOfStore(tx: SystemTx, group: string, tick: bigint): Promise<void> {
  await tx.execute(TAKE_BACK_OF_STORE, [group, tick]);
  await tx.execute(UNPARK_OF_STORE, [group]);
}
