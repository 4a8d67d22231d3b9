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
  /** The record of how an operator knows what has become of the step. */
  readonly ticket: string | null;
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

/** A saga of a tenant. */
interface SagaKey {
  readonly id: string;
}

// Which ones are listed is asked first, each way by an index; what is shown of them is said here once.
const SEE = statement<SeenSaga>(
  'sagas.see',
  `select tenant_id as "tenantId", id, name, hash, state, backward, place, reason, last_error as "lastError", attempts,
     cancel_requested as "cancelRequested", sagas.is_stuck(state, deadline_at, due_at, lease_until) as "isStuck",
     awaits_type as "awaitsType", started_by as "startedBy", started_at as "startedAt", due_at as "dueAt", deadline_at as "deadlineAt",
     ended_at as "endedAt"
   from sagas.sagas
   where tenant_id = $1 and id = any ($2::uuid[])
   order by id desc`,
);

// Where nothing but the last state is asked for, most are of it.
const LIST = statement<SagaKey>(
  'sagas.list',
  `select id
   from sagas.sagas
   where tenant_id = $1 and id < $2 and ($3::text is null or state = $3)
   order by id desc
   limit $4`,
);

const LIST_NAMED = statement<SagaKey>(
  'sagas.list_named',
  `select id
   from sagas.sagas
   where tenant_id = $1 and id < $2 and ($3::text is null or state = $3) and name = $5
   order by id desc
   limit $4`,
);

const LIST_COMPENSATED = statement<SagaKey>(
  'sagas.list_compensated',
  `select id
   from sagas.sagas
   where tenant_id = $1 and id < $2 and state = 'compensated' and ($4::text is null or name = $4)
   order by id desc
   limit $3`,
);

const LIST_OPEN = statement<SagaKey>(
  'sagas.list_open',
  `select id
   from sagas.sagas
   where tenant_id = $1 and ended_at is null and id < $2 and ($3::text is null or state = $3) and ($5::text is null or name = $5)
     and ($6::boolean is null or $6 = sagas.is_stuck(state, deadline_at, due_at, lease_until))
   order by id desc
   limit $4`,
);

const LIST_OPERATED = statement<SagaKey & { readonly tenantId: string }>(
  'sagas.list_operated',
  `select tenant_id as "tenantId", id
   from sagas.sagas
   where ended_at is null and ($1::text is null or state = $1) and ($2::text is null or name = $2)
     and ($3::boolean is null or $3 = sagas.is_stuck(state, deadline_at, due_at, lease_until))
   order by id
   limit $4`,
);

// Who steers one again and again cannot make the answer longer: the newest are shown.
const LIST_EVENTS = statement<SagaEvent>(
  'sagas.list_events',
  `select type, data->>'step' as step, data->>'code' as code, data->>'ticket' as ticket, actor, act, occurred_at as at
   from events.log
   where tenant_id = $1 and stream_type = 'sagas.saga' and stream_id = $2
   order by stream_version desc
   limit 300`,
);

/**
 * Sagas of the transaction's tenant, newest first, up to `limit` behind `before`. Stuck is one that waits for an operator, is open
 * beyond its deadline, or has been due for five minutes without anybody at work on it.
 */
export async function listSeenSagas(
  tx: TenantTx,
  asked: SagasAsked,
  before: string | undefined,
  limit: number,
): Promise<SeenSaga[]> {
  const keys = await keysOf(tx, asked, before ?? LAST_ID, limit);
  return tx.rows(SEE, [tx.tenantId, keys.map(({ id }) => id)]);
}

/** Behind every id. */
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

function keysOf(
  tx: TenantTx,
  { state: wanted, name: named, isStuck }: SagasAsked,
  before: string,
  limit: number,
): Promise<SagaKey[]> {
  const [state, name] = [wanted ?? null, named ?? null];
  if (isStuck !== undefined || (state !== null && state !== 'completed' && state !== 'compensated'))
    return tx.rows(LIST_OPEN, [tx.tenantId, before, state, limit, name, isStuck ?? null]);
  if (state === 'compensated') return tx.rows(LIST_COMPENSATED, [tx.tenantId, before, limit, name]);
  if (name !== null) return tx.rows(LIST_NAMED, [tx.tenantId, before, state, limit, name]);
  return tx.rows(LIST, [tx.tenantId, before, state, limit]);
}

/** One saga of the transaction's tenant. */
export function findSeenSaga(tx: TenantTx, id: string): Promise<SeenSaga | undefined> {
  return tx.row(SEE, [tx.tenantId, [id]]);
}

/** What has happened to a saga, the newest 300 events in their order. */
export async function listSagaEvents(tx: TenantTx, id: string): Promise<SagaEvent[]> {
  return (await tx.rows(LIST_EVENTS, [tx.tenantId, id])).toReversed();
}

/** Open sagas of all tenants, oldest first, since these wait longest for somebody, in the role holdfast_ops. */
export async function listOperatedSagas(
  tx: SystemTx,
  { state, name, isStuck }: SagasAsked,
  limit: number,
): Promise<SeenSaga[]> {
  const keys = await tx.rows(LIST_OPERATED, [state ?? null, name ?? null, isStuck ?? null, limit]);
  const seen: SeenSaga[] = [];
  for (const [tenantId, own] of Map.groupBy(keys, (key) => key.tenantId))
    seen.push(...(await tx.rows(SEE, [tenantId, own.map(({ id }) => id)])));
  return seen.toSorted((one, other) => (one.id < other.id ? -1 : 1));
}
