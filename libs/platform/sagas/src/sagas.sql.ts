import { statement, type SystemTx } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** How far a saga is. */
export type SagaState = 'running' | 'compensating' | 'needs_operator' | 'completed' | 'compensated';

/** A saga as its row says. */
export interface SagaRow {
  readonly id: string;
  readonly name: string;
  readonly hash: string;
  readonly state: SagaState;
  readonly backward: boolean;
  readonly place: number;
  readonly intended: boolean;
  readonly input: unknown;
  readonly results: Readonly<Record<string, unknown>>;
  readonly attempts: number;
  readonly cancelRequested: boolean;
  /** Whether the time of its step or its own is over, by the database's clock. */
  readonly isLate: boolean;
  /** Whether that of its step is. */
  readonly isStepLate: boolean;
  /** The database's clock, in milliseconds of the epoch, when it was read. */
  readonly nowMs: number;
  readonly fence: bigint;
  readonly correlationId: string;
  readonly traceparent: string | null;
  readonly version: bigint;
}

/** A saga that somebody has to look at. */
export interface DueSaga {
  readonly tenantId: string;
  readonly id: string;
  readonly name: string;
  readonly hash: string;
}

// A lease is longer than any step: a transaction ends after 30 s, and so does a call. Each change is made under the number of the lease and
// the version that whoever makes it knows.
const INSERT = statement(
  'sagas.insert',
  `insert into sagas.sagas (tenant_id, id, name, hash, input, deadline_at, step_deadline_at, fence, lease_until, correlation_id,
     traceparent, started_by)
   values ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6), clock_timestamp() + make_interval(secs => $7),
     case when $8 then 1 else 0 end, case when $8 then clock_timestamp() + interval '90 seconds' end, $9, $10, tenancy.actor())`,
);

const LIST_DUE = statement<DueSaga>(
  'sagas.list_due',
  `select tenant_id as "tenantId", id, name, hash
   from sagas.sagas
   where due_at <= clock_timestamp() and (lease_until is null or lease_until < clock_timestamp())
   order by due_at
   limit $1`,
);

// The log is asked by its unique key for each of them; who is asked about longest waits for a turn of the order of ids.
const LIST_MET = statement<DueSaga>(
  'sagas.list_met',
  `select s.tenant_id as "tenantId", s.id, s.name, s.hash
   from sagas.sagas s
   where s.awaits_type is not null and s.due_at > clock_timestamp()
     and (s.lease_until is null or s.lease_until < clock_timestamp())
     and exists (
       select from events.log e
       where e.tenant_id = s.tenant_id and e.stream_type = s.awaits_stream_type and e.stream_id = s.awaits_stream_id
         and e.type = s.awaits_type)
   limit $1`,
);

const CLAIM = statement<SagaRow>(
  'sagas.claim',
  `update sagas.sagas
   set fence = fence + 1, lease_until = clock_timestamp() + interval '90 seconds'
   where tenant_id = $1 and id = $2 and (due_at <= clock_timestamp() or awaits_type is not null and due_at is not null)
     and (lease_until is null or lease_until < clock_timestamp())
   returning id, name, hash, state, backward, place, intended, input, results, attempts, cancel_requested as "cancelRequested",
     coalesce(least(step_deadline_at, deadline_at) <= clock_timestamp(), false) as "isLate",
     coalesce(step_deadline_at <= clock_timestamp(), false) as "isStepLate", extract(epoch from clock_timestamp())::float8 * 1000 as "nowMs",
     fence, correlation_id as "correlationId",
     traceparent, version`,
);

const FIND_HELD = statement<SagaRow>(
  'sagas.find_held',
  `select id, name, hash, state, backward, place, intended, input, results, attempts, cancel_requested as "cancelRequested",
     coalesce(least(step_deadline_at, deadline_at) <= clock_timestamp(), false) as "isLate",
     coalesce(step_deadline_at <= clock_timestamp(), false) as "isStepLate", extract(epoch from clock_timestamp())::float8 * 1000 as "nowMs",
     fence, correlation_id as "correlationId",
     traceparent, version
   from sagas.sagas
   where tenant_id = $1 and id = $2 and fence = $3 and due_at is not null`,
);

// First in the transaction of a step: who is late, asked to cancel, or no longer the holder changes nothing.
const ADVANCE = statement<{ readonly id: string }>(
  'sagas.advance',
  `update sagas.sagas
   set place = place + 1, intended = false, attempts = 0, last_error = null,
     version = version + case when $5 then 2 else 1 end,
     state = case when $5 then 'completed' else state end,
     ended_at = case when $5 then clock_timestamp() end,
     due_at = case when $5 then null else clock_timestamp() end,
     lease_until = case when $5 then null else clock_timestamp() + interval '90 seconds' end,
     step_deadline_at = clock_timestamp() + make_interval(secs => $6),
     awaits_stream_type = null, awaits_stream_id = null, awaits_type = null,
     results = results || $7::jsonb
   where tenant_id = $1 and id = $2 and fence = $3 and version = $4 and not backward
     and ($8 or not cancel_requested and (least(step_deadline_at, deadline_at) > clock_timestamp()))
   returning id`,
);

const SET_RESULT = statement(
  'sagas.set_result',
  'update sagas.sagas set results = results || $3::jsonb where tenant_id = $1 and id = $2',
);

const INTEND = statement<{ readonly id: string }>(
  'sagas.intend',
  `update sagas.sagas
   set intended = true, lease_until = clock_timestamp() + interval '90 seconds'
   where tenant_id = $1 and id = $2 and fence = $3 and version = $4 and (backward or $5 or not cancel_requested and least(step_deadline_at, deadline_at) > clock_timestamp())
   returning id`,
);

const AWAIT = statement<{ readonly id: string }>(
  'sagas.await',
  `update sagas.sagas
   set awaits_stream_type = $5, awaits_stream_id = $6, awaits_type = $7, lease_until = null,
     due_at = coalesce(least($8::timestamptz, step_deadline_at, case when $9 then null else deadline_at end),
       clock_timestamp() + interval '1 hour')
   where tenant_id = $1 and id = $2 and fence = $3 and version = $4 and due_at is not null
   returning id`,
);

const FIND_AWAITED = statement<{ readonly data: unknown }>(
  'sagas.find_awaited',
  `select data
   from events.log
   where tenant_id = $1 and stream_type = $2 and stream_id = $3 and type = $4
   order by stream_version
   limit 1`,
);

const TURN_BACK = statement<{ readonly id: string }>(
  'sagas.turn_back',
  `update sagas.sagas
   set backward = true, place = $5, reason = $6, intended = $7, attempts = 0, step_deadline_at = null,
     state = case when $5 < 0 then 'compensated' else 'compensating' end,
     version = version + case when $5 < 0 then 2 else 1 end,
     ended_at = case when $5 < 0 then clock_timestamp() end,
     due_at = case when $5 < 0 then null else clock_timestamp() end,
     lease_until = case when $5 < 0 then null else clock_timestamp() + interval '90 seconds' end,
     awaits_stream_type = null, awaits_stream_id = null, awaits_type = null
   where tenant_id = $1 and id = $2 and fence = $3 and version = $4 and not backward
   returning id`,
);

const RETREAT = statement<{ readonly id: string }>(
  'sagas.retreat',
  `update sagas.sagas
   set place = $5, intended = false, attempts = 0, last_error = null,
     state = case when $5 < 0 then 'compensated' else 'compensating' end,
     version = version + case when $5 < 0 then 2 else 1 end,
     ended_at = case when $5 < 0 then clock_timestamp() end,
     due_at = case when $5 < 0 then null else clock_timestamp() end,
     lease_until = case when $5 < 0 then null else clock_timestamp() + interval '90 seconds' end
   where tenant_id = $1 and id = $2 and fence = $3 and version = $4 and backward
   returning id`,
);

const POSTPONE = statement<{ readonly id: string }>(
  'sagas.postpone',
  `update sagas.sagas
   set attempts = attempts + $5, last_error = coalesce($6, last_error), lease_until = null,
     due_at = clock_timestamp() + make_interval(secs => $7)
   where tenant_id = $1 and id = $2 and fence = $3 and version = $4 and due_at is not null
   returning id`,
);

const STOP = statement<{ readonly id: string }>(
  'sagas.stop',
  `update sagas.sagas
   set state = 'needs_operator', reason = $5, last_error = $5, attempts = attempts + 1, due_at = null, lease_until = null,
     version = version + 1
   where tenant_id = $1 and id = $2 and fence = $3 and version = $4 and due_at is not null
   returning id`,
);

const COUNT_OPEN = statement<OpenSagas>(
  'sagas.count_open',
  `select name, hash, state, count(*)::int as sagas, extract(epoch from clock_timestamp() - min(started_at))::float8 as "oldestSeconds"
   from sagas.sagas
   where ended_at is null
   group by name, hash, state
   order by name, hash, state
   limit 1000`,
);

/** Open sagas of a definition and state, over all tenants. */
export interface OpenSagas {
  readonly name: string;
  readonly hash: string;
  readonly state: SagaState;
  readonly sagas: number;
  readonly oldestSeconds: number;
}

/** What is open, over all tenants. */
export function countOpenSagas(tx: SystemTx): Promise<OpenSagas[]> {
  return tx.rows(COUNT_OPEN);
}

/** What a saga begins with. */
export interface NewSaga {
  readonly id: string;
  readonly name: string;
  readonly hash: string;
  readonly input: unknown;
  readonly deadlineSeconds: number;
  /** Of its first step. */
  readonly timeoutSeconds: number | undefined;
  /** Whether the process that begins it goes on with it: then it has the lease, under fence 1. */
  readonly isHeld: boolean;
}

/** Writes the row of a saga that begins. A second one of the id is refused by the primary key. */
export async function insertSaga(tx: TenantTx, saga: NewSaga): Promise<void> {
  const { caller } = tx;
  await tx.execute(INSERT, [
    ...[tx.tenantId, saga.id, saga.name, saga.hash, JSON.stringify(saga.input), saga.deadlineSeconds],
    ...[saga.timeoutSeconds ?? null, saga.isHeld, caller.requestId, caller.traceparent ?? null],
  ]);
}

/** Sagas of all tenants that nobody works on and that are due, those that have waited longest first. */
export function listDueSagas(tx: SystemTx, limit: number): Promise<DueSaga[]> {
  return tx.rows(LIST_DUE, [limit]);
}

/** Sagas of all tenants whose awaited event is in the log. */
export function listMetSagas(tx: SystemTx, limit: number): Promise<DueSaga[]> {
  return tx.rows(LIST_MET, [limit]);
}

/** Takes the lease; undefined when somebody else was first. */
export function claimSaga(tx: TenantTx, id: string): Promise<SagaRow | undefined> {
  return tx.row(CLAIM, [tx.tenantId, id]);
}

/** The saga as it is, while the lease is still one's own and there is something to do. */
export function findHeldSaga(tx: TenantTx, id: string, fence: bigint): Promise<SagaRow | undefined> {
  return tx.row(FIND_HELD, [tx.tenantId, id, fence]);
}

/** The lease is in other hands, or the row is not as it was known: nothing was changed. */
export class SagaMovedOn extends Error {
  override readonly name = 'SagaMovedOn';
}

/** Goes one step on. */
export interface Advance {
  readonly ends: boolean;
  /** Of the step that comes next. */
  readonly timeoutSeconds: number | undefined;
  readonly results: Readonly<Record<string, unknown>>;
  /** Whether it goes on though it is late or asked to cancel. */
  readonly isCommitted: boolean;
}

/** Marks the step as done. Throws SagaMovedOn. */
export function advanceSaga(tx: TenantTx, row: SagaRow, advance: Advance): Promise<void> {
  const { ends, timeoutSeconds, results, isCommitted } = advance;
  return change(tx, ADVANCE, row, [ends, timeoutSeconds ?? null, JSON.stringify(results), isCommitted]);
}

/** Keeps what the step has answered, in the transaction that has marked it. */
export async function setResult(
  tx: TenantTx,
  id: string,
  results: Readonly<Record<string, unknown>>,
): Promise<void> {
  await tx.execute(SET_RESULT, [tx.tenantId, id, JSON.stringify(results)]);
}

/** Says before a call that it may have been made, and renews the lease. Throws SagaMovedOn. */
export function intendCall(tx: TenantTx, row: SagaRow, isCommitted: boolean): Promise<void> {
  return change(tx, INTEND, row, [isCommitted]);
}

/** An event by its type, and the stream that it is on. */
export interface Awaited {
  readonly streamType: string;
  readonly streamId: string;
  readonly type: string;
}

/**
 * Gives the lease back until the instant, or until the event is in the log; until its deadlines at most, of which its own does not count
 * for one that is committed. Throws SagaMovedOn.
 */
export function awaitDue(
  tx: TenantTx,
  row: SagaRow,
  until: { readonly dueAt?: Date; readonly awaited?: Awaited; readonly isCommitted: boolean },
): Promise<void> {
  const { streamType = null, streamId = null, type = null } = until.awaited ?? {};
  return change(tx, AWAIT, row, [streamType, streamId, type, until.dueAt ?? null, until.isCommitted]);
}

/** The payload of the event, once it is in the log. */
export async function findAwaited(
  tx: TenantTx,
  awaited: Awaited,
): Promise<{ readonly data: unknown } | undefined> {
  return tx.row(FIND_AWAITED, [tx.tenantId, awaited.streamType, awaited.streamId, awaited.type]);
}

/** Turns it back, to compensate the step at the place; below zero there is none. Throws SagaMovedOn. */
export function turnBack(
  tx: TenantTx,
  row: SagaRow,
  back: { readonly place: number; readonly reason: string; readonly intended: boolean },
): Promise<void> {
  return change(tx, TURN_BACK, row, [back.place, back.reason, back.intended]);
}

/** Marks the step as compensated, and the place of the next. Throws SagaMovedOn. */
export function retreatSaga(tx: TenantTx, row: SagaRow, place: number): Promise<void> {
  return change(tx, RETREAT, row, [place]);
}

/** Gives the lease back for a while, after a failure or none. Throws SagaMovedOn. */
export function postponeSaga(
  tx: TenantTx,
  row: SagaRow,
  after: { readonly failures: 0 | 1; readonly error?: string; readonly seconds: number },
): Promise<void> {
  return change(tx, POSTPONE, row, [after.failures, after.error ?? null, after.seconds]);
}

/** Leaves it to an operator. Throws SagaMovedOn. */
export function stopSaga(tx: TenantTx, row: SagaRow, reason: string): Promise<void> {
  return change(tx, STOP, row, [reason]);
}

async function change(
  tx: TenantTx,
  changing: typeof ADVANCE,
  { id, fence, version }: SagaRow,
  values: readonly unknown[],
): Promise<void> {
  const changed = await tx.row(changing, [tx.tenantId, id, fence, version, ...values]);
  if (!changed) throw new SagaMovedOn(`saga ${id} is in other hands, or has another version than ${version}`);
}
