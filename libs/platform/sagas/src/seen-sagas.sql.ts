import { statement, type SystemTx } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { SagaState } from './sagas.sql';

/** A saga as it is shown. What it began with and what its steps have answered is its module's to show, and is not read. */
export interface SeenSaga {
  readonly tenantId: string;
  readonly id: string;
  readonly name: string;
  readonly hash: string;
  readonly state: SagaState;
  readonly backward: boolean;
  readonly place: number;
  readonly reason: string | null;
  readonly lastError: string | null;
  readonly attempts: number;
  readonly cancelRequested: boolean;
  /** Whether somebody has to look at it; see `listSeenSagas`. */
  readonly isStuck: boolean;
  readonly awaitsType: string | null;
  readonly startedBy: string;
  readonly startedAt: Date;
  readonly dueAt: Date | null;
  readonly deadlineAt: Date;
  readonly endedAt: Date | null;
}

/** An event of a saga's stream. */
export interface SagaEvent {
  readonly type: string;
  readonly step: string | null;
  readonly code: string | null;
  readonly actor: string;
  readonly act: string | null;
  readonly at: Date;
}

/** Which sagas are asked for. */
export interface SagasAsked {
  readonly state?: SagaState | undefined;
  readonly name?: string | undefined;
  readonly isStuck?: boolean | undefined;
}

const LIST = statement<SeenSaga>(
  'sagas.list',
  `select tenant_id as "tenantId", id, name, hash, state, backward, place, reason, last_error as "lastError", attempts,
     cancel_requested as "cancelRequested",
     sagas.is_stuck(state, deadline_at, due_at, lease_until) as "isStuck", awaits_type as "awaitsType", started_by as "startedBy", started_at as "startedAt", due_at as "dueAt", deadline_at as "deadlineAt",
     ended_at as "endedAt"
   from sagas.sagas
   where tenant_id = $1 and ($2::uuid is null or id < $2) and ($3::text is null or state = $3) and ($4::text is null or name = $4)
   order by id desc
   limit $5`,
);

const FIND = statement<SeenSaga>(
  'sagas.find',
  `select tenant_id as "tenantId", id, name, hash, state, backward, place, reason, last_error as "lastError", attempts,
     cancel_requested as "cancelRequested",
     sagas.is_stuck(state, deadline_at, due_at, lease_until) as "isStuck", awaits_type as "awaitsType", started_by as "startedBy", started_at as "startedAt", due_at as "dueAt", deadline_at as "deadlineAt",
     ended_at as "endedAt"
   from sagas.sagas
   where tenant_id = $1 and id = $2`,
);

// By the index of those that are open, which are few beside those that have ended.
const LIST_OPEN = statement<SeenSaga>(
  'sagas.list_open',
  `select tenant_id as "tenantId", id, name, hash, state, backward, place, reason, last_error as "lastError", attempts,
     cancel_requested as "cancelRequested",
     sagas.is_stuck(state, deadline_at, due_at, lease_until) as "isStuck", awaits_type as "awaitsType", started_by as "startedBy", started_at as "startedAt", due_at as "dueAt", deadline_at as "deadlineAt",
     ended_at as "endedAt"
   from sagas.sagas
   where tenant_id = $1 and ended_at is null and ($2::uuid is null or id < $2) and ($3::text is null or state = $3)
     and ($4::text is null or name = $4)
     and ($6::boolean is null or $6 = sagas.is_stuck(state, deadline_at, due_at, lease_until))
   order by id desc
   limit $5`,
);

const LIST_OPERATED = statement<SeenSaga>(
  'sagas.list_operated',
  `select tenant_id as "tenantId", id, name, hash, state, backward, place, reason, last_error as "lastError", attempts,
     cancel_requested as "cancelRequested",
     sagas.is_stuck(state, deadline_at, due_at, lease_until) as "isStuck", awaits_type as "awaitsType", started_by as "startedBy", started_at as "startedAt", due_at as "dueAt", deadline_at as "deadlineAt",
     ended_at as "endedAt"
   from sagas.sagas
   where ended_at is null and ($1::text is null or state = $1) and ($2::text is null or name = $2)
     and ($3::boolean is null or $3 = sagas.is_stuck(state, deadline_at, due_at, lease_until))
   order by id desc
   limit $4`,
);

// Who steers one again and again cannot make the answer longer: the newest are shown.
const LIST_EVENTS = statement<SagaEvent>(
  'sagas.list_events',
  `select type, data->>'step' as step, data->>'code' as code, actor, act, occurred_at as at
   from events.log
   where tenant_id = $1 and stream_type = 'sagas.saga' and stream_id = $2
   order by stream_version desc
   limit 300`,
);

/**
 * Sagas of the transaction's tenant, newest first, up to `limit` behind `before`. Stuck is one that waits for an operator, is open
 * beyond its deadline, or has been due for five minutes without anybody at work on it.
 */
export function listSeenSagas(
  tx: TenantTx,
  { state, name, isStuck }: SagasAsked,
  before: string | undefined,
  limit: number,
): Promise<SeenSaga[]> {
  const values = [tx.tenantId, before ?? null, state ?? null, name ?? null, limit];
  const areOpen = state === 'running' || state === 'compensating' || state === 'needs_operator';
  if (isStuck === undefined && !areOpen) return tx.rows(LIST, values);
  return tx.rows(LIST_OPEN, [...values, isStuck ?? null]);
}

/** One saga of the transaction's tenant. */
export function findSeenSaga(tx: TenantTx, id: string): Promise<SeenSaga | undefined> {
  return tx.row(FIND, [tx.tenantId, id]);
}

/** What has happened to a saga, the newest 300 events in their order. */
export async function listSagaEvents(tx: TenantTx, id: string): Promise<SagaEvent[]> {
  return (await tx.rows(LIST_EVENTS, [tx.tenantId, id])).toReversed();
}

/** Open sagas of all tenants, newest first, in the role holdfast_ops. */
export function listOperatedSagas(
  tx: SystemTx,
  { state, name, isStuck }: SagasAsked,
  limit: number,
): Promise<SeenSaga[]> {
  return tx.rows(LIST_OPERATED, [state ?? null, name ?? null, isStuck ?? null, limit]);
}
