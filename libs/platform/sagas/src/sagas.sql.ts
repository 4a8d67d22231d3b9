import type { Caller } from '@holdfast/kernel';
import { sqlState, type Statement, statement, type SystemTx } from '@holdfast/database';
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
  /** The code of why it turned back; of one that has not, of why it last needed an operator. */
  readonly reason: string | null;
  readonly attempts: number;
  readonly cancelRequested: boolean;
  /** Whether the time of its step or its own is over, by the database's clock. */
  readonly isLate: boolean;
  /** Whether that of its step is. */
  readonly isStepLate: boolean;
  readonly fence: bigint;
  readonly correlationId: string;
  readonly traceparent: string | null;
  /** When it began, by the database's clock, in milliseconds of the epoch. */
  readonly startedMs: number;
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

const BEGIN_ALL = statement(
  'sagas.begin_all',
  `select sagas.begin_all($1, $2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::float8[], $7::boolean[], $8::text[], $9::text[],
     $10::text[], $11::text[], $12::boolean[], $13::int[], $14::jsonb[], $15::text[], $16::int[], $17::float8[])`,
);

// Of definitions that the process knows: others, which it leaves where they are, would else be the first to be due for ever, and hide all. Each
// by the index, which stops at what is due later: a time that may change within the statement would not be looked up by it.
const LIST_DUE = statement<DueSaga>(
  'sagas.list_due',
  `select d.tenant_id as "tenantId", d.id, k.name, k.hash
   from unnest($2::text[], $3::text[]) k (name, hash)
   cross join lateral (
     select s.tenant_id, s.id, s.due_at
     from sagas.sagas s
     where s.name = k.name and s.hash = k.hash and s.due_at <= statement_timestamp()
       and (s.lease_until is null or s.lease_until < clock_timestamp()) and s.tenant_id <> all ($4::uuid[])
     order by s.due_at
     limit (select $1::bigint)
   ) d
   order by d.due_at
   limit $1`,
);

// The log is asked by its unique key for each of them; who is asked about longest waits for a turn of the order of ids.
const LIST_MET = statement<DueSaga>(
  'sagas.list_met',
  `select s.tenant_id as "tenantId", s.id, s.name, s.hash
   from sagas.sagas s
   where s.awaits_type is not null and s.due_at > clock_timestamp()
     and (s.lease_until is null or s.lease_until < clock_timestamp())
     and (s.name, s.hash) in (select k.name, k.hash from unnest($2::text[], $3::text[]) k (name, hash)) and s.tenant_id <> all ($4::uuid[])
     and exists (
       select from events.log e
       where e.tenant_id = s.tenant_id and e.stream_type = s.awaits_stream_type and e.stream_id = s.awaits_stream_id
         and e.type = s.awaits_type)
   limit $1`,
);

// Who has a lease that has ended did not come to say what became of the attempt: a step that ends its process would else be tried for ever.
const CLAIM = statement<SagaRow>(
  'sagas.claim',
  `update sagas.sagas
   set fence = fence + 1, lease_until = clock_timestamp() + interval '90 seconds',
     attempts = attempts + (lease_until is not null)::int,
     last_error = case when lease_until is null then last_error else 'sagas.process_lost' end
   where tenant_id = $1 and id = $2 and (due_at <= clock_timestamp() or awaits_type is not null and due_at is not null)
     and (lease_until is null or lease_until < clock_timestamp())
   returning id, name, hash, state, backward, place, intended, input, results, reason, attempts, cancel_requested as "cancelRequested",
     coalesce(least(step_deadline_at, deadline_at) <= clock_timestamp(), false) as "isLate",
     coalesce(step_deadline_at <= clock_timestamp(), false) as "isStepLate", fence, correlation_id as "correlationId", traceparent, extract(epoch from started_at)::float8 * 1000 as "startedMs", version`,
);

const FIND_HELD = statement<SagaRow>(
  'sagas.find_held',
  `select id, name, hash, state, backward, place, intended, input, results, reason, attempts, cancel_requested as "cancelRequested",
     coalesce(least(step_deadline_at, deadline_at) <= clock_timestamp(), false) as "isLate",
     coalesce(step_deadline_at <= clock_timestamp(), false) as "isStepLate", fence, correlation_id as "correlationId", traceparent, extract(epoch from started_at)::float8 * 1000 as "startedMs", version
   from sagas.sagas
   where tenant_id = $1 and id = $2 and fence = $3 and due_at is not null`,
);

const MOVE_ALL = statement(
  'sagas.move_all',
  `select sagas.move_all($1, $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::boolean[], $7::int[], $8::boolean[], $9::jsonb[],
     $10::text[], $11::int[], $12::float8[], $13::boolean[])`,
);
const KEEP_INPUT = statement(
  'sagas.keep_input',
  'update sagas.sagas set input = $3::jsonb where tenant_id = $1 and id = $2 and ended_at is not null',
);
/** What it fails with where a saga is not as it was known. */
const MOVED_ON = 'HF040';

const INTEND = statement<{ readonly id: string }>(
  'sagas.intend',
  `update sagas.sagas
   set intended = true, lease_until = clock_timestamp() + interval '90 seconds'
   where tenant_id = $1 and id = $2 and fence = $3 and version = $4 and (backward or $5 or not cancel_requested and least(step_deadline_at, deadline_at) > clock_timestamp())
   returning id`,
);

// What is due already is not waited for: the lease stays.
const AWAIT = statement<{ readonly isDue: boolean }>(
  'sagas.await',
  `update sagas.sagas
   set awaits_stream_type = $5, awaits_stream_id = $6, awaits_type = $7,
     lease_until = case when $8::timestamptz <= clock_timestamp() then lease_until end,
     due_at = coalesce(least($8::timestamptz, step_deadline_at, case when $9 then null else deadline_at end),
       clock_timestamp() + interval '1 hour')
   where tenant_id = $1 and id = $2 and fence = $3 and version = $4 and due_at is not null
   returning lease_until is not null as "isDue"`,
);

const FIND_AWAITED = statement<{ readonly data: unknown }>(
  'sagas.find_awaited',
  `select data
   from events.log
   where tenant_id = $1 and stream_type = $2 and stream_id = $3 and type = $4
   order by stream_version
   limit 1`,
);

const POSTPONE = statement<{ readonly id: string }>(
  'sagas.postpone',
  `update sagas.sagas
   set attempts = attempts + $5, last_error = coalesce($6, last_error), lease_until = null,
     due_at = clock_timestamp() + make_interval(secs => $7)
   where tenant_id = $1 and id = $2 and fence = $3 and version = $4 and due_at is not null
   returning id`,
);

// Those that this process knows first, and then those that have been open for longest: whoever begins many under names that nobody has
// puts none of these out of sight.
const COUNT_OPEN = statement<OpenSagas>(
  'sagas.count_open',
  `select name, hash, state, count(*)::int as sagas, extract(epoch from clock_timestamp() - min(started_at))::float8 as "oldestSeconds",
     count(*) filter (where deadline_at <= clock_timestamp())::int as overdue,
     coalesce(extract(epoch from clock_timestamp() - min(greatest(due_at, lease_until))), 0)::float8 as "idleSeconds"
   from sagas.sagas
   where ended_at is null
   group by name, hash, state
   order by (name, hash) in (select k.name, k.hash from unnest($1::text[], $2::text[]) k (name, hash)) desc, min(started_at)
   limit 1000`,
);

/** Open sagas of a definition and state, over all tenants. */
export interface OpenSagas {
  readonly name: string;
  readonly hash: string;
  readonly state: SagaState;
  readonly sagas: number;
  readonly oldestSeconds: number;
  /** Of these, such as are open beyond their deadlines. */
  readonly overdue: number;
  /** For how long one has been due without anybody at work on it; below 0 where each is waited for or worked on. */
  readonly idleSeconds: number;
}

/** What is open, over all tenants; of more than 1,000 definitions and states, those of `sagas` at least. */
export function countOpenSagas(tx: SystemTx, sagas: Among['sagas']): Promise<OpenSagas[]> {
  return tx.rows(COUNT_OPEN, definitionsOf(sagas));
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

/** What `sagas.begin_all` is told of a saga that has not moved: its state, direction, place, results, reason, and events since. */
const UNMOVED = ['running', false, 0, '{}', null, 0];

/** Writes the rows of many, each in the name of its caller, whose grant is of the transaction's tenant. Nothing has to be waited for but the commit. */
export function insertSagas(
  tx: TenantTx,
  begun: readonly { readonly by: Caller; readonly saga: NewSaga }[],
): void {
  if (begun.length === 0) return;
  const rows = begun.map(({ by, saga }) => [
    ...[saga.id, saga.name, saga.hash, JSON.stringify(saga.input), saga.deadlineSeconds, saga.isHeld],
    ...[by.requestId, by.traceparent ?? null, by.grant === tx.caller.grant ? null : by.grant],
    ...[...UNMOVED, saga.timeoutSeconds ?? null],
  ]);
  tx.execute(BEGIN_ALL, [tx.tenantId, ...columnsOf(rows)]).catch(() => {}); // The commit tells.
}

/** Which sagas are asked for. */
export interface Among {
  /** Of these definitions. */
  readonly sagas: readonly { readonly name: string; readonly hash: string }[];
  readonly exceptTenants: readonly string[];
}

/** Sagas of all tenants that nobody works on and that are due, those that have waited longest first. */
export function listDueSagas(tx: SystemTx, among: Among, limit: number): Promise<DueSaga[]> {
  return tx.rows(LIST_DUE, [limit, ...valuesOf(among)]);
}

/** Sagas of all tenants whose awaited event is in the log. */
export function listMetSagas(tx: SystemTx, among: Among, limit: number): Promise<DueSaga[]> {
  return tx.rows(LIST_MET, [limit, ...valuesOf(among)]);
}

function valuesOf({ sagas, exceptTenants }: Among): unknown[] {
  return [...definitionsOf(sagas), exceptTenants];
}

function definitionsOf(sagas: Among['sagas']): string[][] {
  return [sagas.map(({ name }) => name), sagas.map(({ hash }) => hash)];
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

/** Where a saga goes. What is not said stays. */
export interface SagaChange {
  readonly state?: SagaState;
  readonly backward?: boolean;
  readonly place?: number;
  /** Whether a call may have been made for the step at the place. */
  readonly intended: boolean;
  /** What the step has answered, by its name. */
  readonly results?: Readonly<Record<string, unknown>>;
  readonly reason?: string;
  /** What is kept of what it was begun with, where it ends. */
  readonly input?: unknown;
  /** How many events tell of it. */
  readonly events: number;
  /** Of the step at the place. */
  readonly timeoutSeconds?: number | undefined;
  /** Whether it is made though the saga is late or asked to cancel. */
  readonly isForced: boolean;
}

/**
 * Moves sagas of the transaction's tenant, each in the transaction of its step, and renews their leases or, where they end or stop, gives
 * them back. Nothing has to be waited for but the commit, which fails where one cannot be moved: see `hasMovedOn`.
 */
export function moveSagas(
  tx: TenantTx,
  moves: readonly { readonly row: SagaRow; readonly to: SagaChange }[],
): void {
  if (moves.length === 0) return;
  const rows = moves.map(({ row, to }) => {
    const { state = row.state, backward = row.backward, place = row.place, intended, results = {} } = to;
    return [
      ...[row.id, row.fence, row.version, state, backward, place, intended, JSON.stringify(results)],
      ...[to.reason ?? null, to.events, to.timeoutSeconds ?? null, to.isForced],
    ];
  });
  tx.execute(MOVE_ALL, [tx.tenantId, ...columnsOf(rows)]).catch(() => {}); // The commit tells.
  for (const { row, to } of moves)
    if (to.input !== undefined)
      tx.execute(KEEP_INPUT, [tx.tenantId, row.id, JSON.stringify(to.input)]).catch(() => {}); // The same.
}

/** Whether a transaction has failed because a saga to be moved is in other hands, late, asked to cancel, or has another version. */
export function hasMovedOn(error: unknown): boolean {
  return sqlState(error) === MOVED_ON;
}

/** An array for each column, as `unnest` takes them. */
function columnsOf(rows: readonly (readonly unknown[])[]): unknown[][] {
  const [first = []] = rows;
  return first.map((_, at) => rows.map((values) => values[at]));
}

/** Says before a call that it may have been made, and renews the lease. Throws SagaMovedOn. */
export async function intendCall(tx: TenantTx, row: SagaRow, isCommitted: boolean): Promise<void> {
  await change(tx, INTEND, row, [isCommitted]);
}

/** An event by its type, and the stream that it is on. */
export interface Awaited {
  readonly streamType: string;
  readonly streamId: string;
  readonly type: string;
}

/**
 * Gives the lease back until the instant, or until the event is in the log; until its deadlines at most, of which its own does not count
 * for one that is committed. Answers whether the instant has come already, by the database's clock: then it is kept. Throws SagaMovedOn.
 */
export async function awaitDue(
  tx: TenantTx,
  row: SagaRow,
  until: { readonly dueAt?: Date; readonly awaited?: Awaited; readonly isCommitted: boolean },
): Promise<boolean> {
  const { streamType = null, streamId = null, type = null } = until.awaited ?? {};
  const values = [streamType, streamId, type, until.dueAt ?? null, until.isCommitted];
  return (await change(tx, AWAIT, row, values)).isDue;
}

/** The payload of the event, once it is in the log. */
export async function findAwaited(
  tx: TenantTx,
  awaited: Awaited,
): Promise<{ readonly data: unknown } | undefined> {
  return tx.row(FIND_AWAITED, [tx.tenantId, awaited.streamType, awaited.streamId, awaited.type]);
}

/** Gives the lease back for a while, after a failure or none. Throws SagaMovedOn. */
export async function postponeSaga(
  tx: TenantTx,
  row: SagaRow,
  after: { readonly failures: 0 | 1; readonly error?: string; readonly seconds: number },
): Promise<void> {
  await change(tx, POSTPONE, row, [after.failures, after.error ?? null, after.seconds]);
}

async function change<Row extends object>(
  tx: TenantTx,
  changing: Statement<Row>,
  { id, fence, version }: SagaRow,
  values: readonly unknown[],
): Promise<Row> {
  const changed = await tx.row(changing, [tx.tenantId, id, fence, version, ...values]);
  if (!changed) throw new SagaMovedOn(`saga ${id} is in other hands, or has another version than ${version}`);
  return changed;
}
