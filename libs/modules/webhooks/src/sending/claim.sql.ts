import { statement, type SystemTx } from '@holdfast/database';
import type { RecordedEvent } from '@holdfast/events';
import type { TenantTx } from '@holdfast/tenancy';
import type { SigningScheme } from '../secrets/signing-secret';
import type { DueLane } from './claim';

/** A tenant that has something to send, now or later. */
export interface WaitingTenant {
  readonly tenant_id: string;
  readonly is_due: boolean;
}

// Walks from tenant to tenant by the index, so one that has a hundred thousand due lanes costs as much as one that has one. The
// limit is on tenants walked, due or not: it bounds what a look costs.
const LIST_WAITING_TENANTS = statement<WaitingTenant>(
  'webhooks.list_due_tenants',
  `with recursive walked (tenant_id) as (
     (select l.tenant_id from webhooks.lanes l where l.tenant_id > $1 order by l.tenant_id limit 1)
     union all
     select (select l.tenant_id from webhooks.lanes l where l.tenant_id > w.tenant_id order by l.tenant_id limit 1)
     from walked w
     where w.tenant_id is not null
   )
   select w.tenant_id, exists (
     select from webhooks.lanes l where l.tenant_id = w.tenant_id and l.due_at <= clock_timestamp()
   ) as is_due
   from walked w
   where w.tenant_id is not null
   limit $2`,
);

/** Tenants behind `after` that have something to send, in the order of their ids. */
export function listWaitingTenants(tx: SystemTx, after: string, limit: number): Promise<WaitingTenant[]> {
  return tx.rows(LIST_WAITING_TENANTS, [after, limit]);
}

const COUNT_DUE_LANES = statement<{ count: number }>(
  'webhooks.count_due_lanes',
  `select count(*)::int as count
   from (select l.tenant_id from webhooks.lanes l where l.due_at <= clock_timestamp() limit $1) d`,
);

/** How many lanes of all tenants are due, up to a bound. */
export async function countDueLanes(tx: SystemTx, limit: number): Promise<number> {
  return (await tx.row(COUNT_DUE_LANES, [limit]))?.count ?? 0;
}

// One claim of a tenant at a time: what is under way is counted, and nobody may add to it in between.
const LOCK_CLAIMS = statement(
  'webhooks.lock_claims',
  "select pg_advisory_xact_lock(hashtextextended('webhooks.claims ' || $1, 0))",
);

// Nothing goes out while events are stopped (after a restore or a promotion, until an operator says that they go on): a queue
// that came with a backup holds what was long delivered, and secrets that were rotated since.
const LIST_DUE_LANES = statement<DueLane>(
  'webhooks.list_due_lanes',
  `select d.endpoint_id, d.stream, e.failing_since is not null as failing, b.busy
   from webhooks.endpoints e
   cross join lateral (
     select count(*)::int as busy
     from webhooks.lanes l
     where l.tenant_id = $1 and l.endpoint_id = e.id and l.holder is not null and l.due_at > clock_timestamp()
   ) b
   cross join lateral (
     select l.endpoint_id, l.stream, l.due_at
     from webhooks.lanes l
     where l.tenant_id = $1 and l.endpoint_id = e.id and l.due_at <= clock_timestamp()
     order by l.due_at
     limit $2
   ) d
   where e.tenant_id = $1 and e.disabled_at is null and e.removed_at is null and coalesce((
     select s.stopped_at is null and s.server_started_at = pg_postmaster_start_time()
     from events.lineage s
     order by s.id desc
     limit 1), true)
   order by d.due_at
   limit $3`,
);

/** More endpoints than any plan allows, times what one may have under way, are not looked at. */
const LANES_MAX = 4_000;

/** Locks out other claims for the tenant, and answers up to so many due lanes of each endpoint. */
export async function lockDueLanes(tx: TenantTx, perEndpoint: number): Promise<DueLane[]> {
  await tx.execute(LOCK_CLAIMS, [tx.tenantId]);
  return tx.rows(LIST_DUE_LANES, [tx.tenantId, perEndpoint, LANES_MAX]);
}

/** The first delivery of a lane that was taken. */
export interface ClaimedDelivery extends RecordedEvent {
  readonly deliveryId: string;
  readonly endpointId: string;
  readonly stream: string;
  readonly url: string;
  readonly attemptCount: number;
  readonly step: number;
  readonly testBody: unknown;
  /** Null of a test, which the log does not hold. */
  readonly loggedId: string | null;
}

// Skips what somebody holds: a group that is slow to commit would otherwise hold up the claim, and with it the tenant's others.
const TAKE = statement<{ endpoint_id: string; stream: string }>(
  'webhooks.take_lanes',
  `update webhooks.lanes l
   set holder = $4, due_at = clock_timestamp() + make_interval(secs => $5)
   from (
     select x.endpoint_id, x.stream
     from unnest($2::uuid[], $3::text[]) c (endpoint_id, stream)
     join webhooks.lanes x on x.tenant_id = $1 and x.endpoint_id = c.endpoint_id and x.stream = c.stream
     where x.due_at <= clock_timestamp()
     for update of x skip locked
   ) t
   where l.tenant_id = $1 and l.endpoint_id = t.endpoint_id and l.stream = t.stream
   returning l.endpoint_id, l.stream`,
);

const LIST_FIRST = statement<ClaimedDelivery>(
  'webhooks.list_first_of_lanes',
  `select d.id as "deliveryId", d.endpoint_id as "endpointId", d.stream, e.url, d.attempt_count as "attemptCount", d.step,
     d.test_body as "testBody", l.id as "loggedId", l.seq, l.id, l.tenant_id as "tenantId",
     l.stream_type as "streamType", l.stream_id as "streamId", l.stream_version as "streamVersion", l.type,
     l.schema_version as "schemaVersion", l.actor, l.act, l.correlation_id as "correlationId",
     l.causation_id as "causationId", l.traceparent,
     to_char(l.occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "occurredAt", l.data
   from unnest($2::uuid[], $3::text[]) t (endpoint_id, stream)
   cross join lateral (
     select d.id, d.endpoint_id, d.stream, d.event_id, d.attempt_count, d.step, d.test_body
     from webhooks.deliveries d
     where d.tenant_id = $1 and d.endpoint_id = t.endpoint_id and d.stream = t.stream and d.status = 'pending'
     order by d.seq, d.id
     limit 1
   ) d
   join webhooks.endpoints e on e.tenant_id = $1 and e.id = d.endpoint_id
   left join events.log l on l.tenant_id = $1 and l.id = d.event_id
   limit 1000`,
);

const CLOSE_EMPTY = statement(
  'webhooks.close_lanes_without_delivery',
  `delete from webhooks.lanes l
   where l.tenant_id = $1 and l.holder = $2 and not exists (
     select from webhooks.deliveries d
     where d.tenant_id = $1 and d.endpoint_id = l.endpoint_id and d.stream = l.stream and d.status = 'pending')`,
);

/**
 * Takes the lanes under a name until the lease ends, and answers the first delivery of each. A lane that is not due any more
 * is left: somebody else was first.
 */
export async function takeLanes(
  tx: TenantTx,
  lanes: readonly DueLane[],
  holder: string,
  leaseSeconds: number,
): Promise<ClaimedDelivery[]> {
  if (lanes.length === 0) return [];
  const endpoints = lanes.map((lane) => lane.endpoint_id);
  const streams = lanes.map(({ stream }) => stream);
  const taken = await tx.rows(TAKE, [tx.tenantId, endpoints, streams, holder, leaseSeconds]);
  const first = await tx.rows(LIST_FIRST, [
    tx.tenantId,
    taken.map((lane) => lane.endpoint_id),
    taken.map(({ stream }) => stream),
  ]);
  // A retry that came as its delivery was being recorded has opened a lane for nothing.
  if (first.length < taken.length) await tx.execute(CLOSE_EMPTY, [tx.tenantId, holder]);
  return first;
}

/** A secret that signs, sealed. */
export interface SealedRow {
  readonly id: string;
  readonly endpointId: string;
  readonly scheme: SigningScheme;
  readonly keyId: string;
  readonly sealed: Buffer;
}

const LIST_SECRETS = statement<SealedRow>(
  'webhooks.list_sealed_secrets',
  `select s.id, s.endpoint_id as "endpointId", s.scheme, s.key_id as "keyId", s.sealed
   from webhooks.secrets s
   where s.tenant_id = $1 and s.endpoint_id = any ($2::uuid[]) and (s.ends_at is null or s.ends_at > clock_timestamp())
   order by s.created_at desc
   limit 1000`,
);

/** The secrets that sign for these endpoints, newest first. */
export function listSealedSecrets(tx: TenantTx, endpointIds: readonly string[]): Promise<SealedRow[]> {
  return tx.rows(LIST_SECRETS, [tx.tenantId, endpointIds]);
}
