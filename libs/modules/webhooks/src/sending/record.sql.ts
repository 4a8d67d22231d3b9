import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { Answer } from './outcome';
import type { ClaimedDelivery } from './claim.sql';

/** Attempts of one delivery that are kept; a delivery that is retried by hand without end keeps the latest. */
const ATTEMPTS_KEPT = 20;

const LOCK_LANE = statement(
  'webhooks.lock_lane',
  `select 1 as held
   from webhooks.lanes
   where tenant_id = $1 and endpoint_id = $2 and stream = $3 and holder = $4
   for update`,
);

const INSERT_ATTEMPT = statement(
  'webhooks.insert_attempt',
  `insert into webhooks.attempts (tenant_id, delivery_id, number, started_at, outcome, status, latency_ms, url, request_headers,
     response_headers, response_body)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
);

const DELETE_OLD_ATTEMPTS = statement(
  'webhooks.delete_old_attempts',
  'delete from webhooks.attempts where tenant_id = $1 and delivery_id = $2 and number <= $3',
);

const UPDATE_DELIVERY = statement(
  'webhooks.note_attempt',
  `update webhooks.deliveries
   set attempt_count = $3, step = $4, status = $5,
     due_at = clock_timestamp() + make_interval(secs => coalesce($6::float8, 0)),
     completed_at = case when $5 <> 'pending' then clock_timestamp() end
   where tenant_id = $1 and id = $2`,
);

const CLOSE_LANE = statement(
  'webhooks.close_lane',
  `delete from webhooks.lanes l
   where l.tenant_id = $1 and l.endpoint_id = $2 and l.stream = $3 and not exists (
     select from webhooks.deliveries d
     where d.tenant_id = $1 and d.endpoint_id = $2 and d.stream = $3 and d.status = 'pending')`,
);

const RELEASE_LANE = statement(
  'webhooks.release_lane',
  `update webhooks.lanes l
   set holder = null, due_at = d.due_at
   from (
     select due_at from webhooks.deliveries
     where tenant_id = $1 and endpoint_id = $2 and stream = $3 and status = 'pending'
     order by seq, id
     limit 1
   ) d
   where l.tenant_id = $1 and l.endpoint_id = $2 and l.stream = $3`,
);

type Lane = Pick<ClaimedDelivery, 'endpointId' | 'stream'>;

/** Locks the lane until the transaction ends; false when it has gone to another holder. */
export async function lockHeldLane(
  tx: TenantTx,
  { endpointId, stream }: Lane,
  holder: string,
): Promise<boolean> {
  return (await tx.row(LOCK_LANE, [tx.tenantId, endpointId, stream, holder])) !== undefined;
}

/** What the log says of an attempt. */
export interface AttemptRecord {
  readonly startedAt: Date;
  readonly url: string;
  readonly requestHeaders: Readonly<Record<string, string>>;
  readonly answer: Answer;
}

/** Writes an attempt, its number being that of the delivery's. */
export async function insertAttempt(
  tx: TenantTx,
  deliveryId: string,
  number: number,
  { startedAt, url, requestHeaders, answer }: AttemptRecord,
): Promise<void> {
  const { outcome, status, latencyMs, responseHeaders, responseBody } = answer;
  await tx.execute(INSERT_ATTEMPT, [
    tx.tenantId,
    deliveryId,
    number,
    startedAt,
    outcome,
    status,
    latencyMs,
    url,
    JSON.stringify(requestHeaders),
    responseHeaders === null ? null : JSON.stringify(responseHeaders),
    responseBody,
  ]);
  if (number > ATTEMPTS_KEPT)
    await tx.execute(DELETE_OLD_ATTEMPTS, [tx.tenantId, deliveryId, number - ATTEMPTS_KEPT]);
}

/** Writes how the delivery stands. `waitSeconds`: until its next attempt, while it is pending. */
export async function noteAttempt(
  tx: TenantTx,
  deliveryId: string,
  state: {
    readonly attemptCount: number;
    readonly step: number;
    readonly status: 'pending' | 'delivered' | 'failed';
    readonly waitSeconds?: number;
  },
): Promise<void> {
  const { attemptCount, step, status, waitSeconds = null } = state;
  await tx.execute(UPDATE_DELIVERY, [tx.tenantId, deliveryId, attemptCount, step, status, waitSeconds]);
}

/** Gives a locked lane back, due when its first delivery is; removes it when there is none. */
export async function releaseLane(tx: TenantTx, { endpointId, stream }: Lane): Promise<void> {
  const lane = [tx.tenantId, endpointId, stream];
  await Promise.all([tx.execute(CLOSE_LANE, lane), tx.execute(RELEASE_LANE, lane)]);
}

const NOTE_SUCCESS = statement(
  'webhooks.note_success',
  `update webhooks.endpoints
   set failing_since = null
   where tenant_id = $1 and id = $2 and failing_since is not null`,
);

const NOTE_FAILURE = statement<{ failing_ms: number }>(
  'webhooks.note_failure',
  `select coalesce(extract(epoch from clock_timestamp() - failing_since) * 1000, 0)::float8 as failing_ms
   from webhooks.endpoints
   where tenant_id = $1 and id = $2`,
);

const BEGIN_FAILING = statement(
  'webhooks.begin_failing',
  `update webhooks.endpoints
   set failing_since = clock_timestamp()
   where tenant_id = $1 and id = $2 and failing_since is null`,
);

/** The endpoint has taken a delivery. Writes only where it had failed before. */
export async function noteSuccess(tx: TenantTx, endpointId: string): Promise<void> {
  await tx.execute(NOTE_SUCCESS, [tx.tenantId, endpointId]);
}

/** The endpoint has failed; answers for how long nothing else has come of it, in milliseconds. */
export async function noteFailure(tx: TenantTx, endpointId: string): Promise<number> {
  await tx.execute(BEGIN_FAILING, [tx.tenantId, endpointId]);
  return (await tx.row(NOTE_FAILURE, [tx.tenantId, endpointId]))?.failing_ms ?? 0;
}
