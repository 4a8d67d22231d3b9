import { deterministicId } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import type { RecordedEvent } from '@holdfast/events';
import type { TenantTx } from '@holdfast/tenancy';
import { wants } from '../endpoints/event-pattern';

/** An endpoint that events may be for. */
export interface ListeningEndpoint {
  readonly id: string;
  readonly event_types: string[];
  readonly is_disabled: boolean;
  readonly receives_from: Date;
}

/** Twice what the largest plan allows: a smaller plan takes no webhook away. */
const ENDPOINTS_MAX = 400;

const LIST_LISTENING = statement<ListeningEndpoint>(
  'webhooks.list_listening_endpoints',
  `select e.id, e.event_types, e.disabled_at is not null as is_disabled, e.receives_from
   from webhooks.endpoints e
   where e.tenant_id = $1 and e.removed_at is null
     and exists (select from webhooks.secrets s where s.tenant_id = $1 and s.endpoint_id = e.id and s.ends_at is null)
   order by e.id
   limit $2`,
);

// What a restore or a replay brings again is there already, and stays as it is.
const INSERT = statement<{ endpoint_id: string; stream: string }>(
  'webhooks.insert_deliveries',
  `insert into webhooks.deliveries (tenant_id, id, endpoint_id, event_id, event_type, stream, seq, status, completed_at)
   select $1::uuid, d.id, d.endpoint_id, d.event_id, d.event_type, d.stream, d.seq,
     case when d.is_disabled then 'canceled' else 'pending' end,
     case when d.is_disabled then clock_timestamp() end
   from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::bigint[], $8::boolean[])
     d (id, endpoint_id, event_id, event_type, stream, seq, is_disabled)
   on conflict do nothing
   returning endpoint_id, stream`,
);

// In one order for everybody who locks several: two would otherwise wait for each other. A lane that is there is only
// locked: its first delivery stands before what is added, but for one that is retried, which is due at once.
const OPEN_LANES = statement(
  'webhooks.open_lanes',
  `insert into webhooks.lanes as l (tenant_id, endpoint_id, stream, due_at)
   select $1::uuid, n.endpoint_id, n.stream, clock_timestamp()
   from (select distinct u.endpoint_id, u.stream from unnest($2::uuid[], $3::text[]) u (endpoint_id, stream)) n
   order by n.endpoint_id, n.stream
   on conflict (tenant_id, endpoint_id, stream) do update
   set due_at = case when $4 and (l.holder is null or l.due_at <= clock_timestamp()) then clock_timestamp() else l.due_at end`,
);

/** The endpoints of the tenant that have something to sign with, also those that are off. */
export function listListeningEndpoints(tx: TenantTx): Promise<ListeningEndpoint[]> {
  return tx.rows(LIST_LISTENING, [tx.tenantId, ENDPOINTS_MAX]);
}

/** One event for one endpoint. */
export interface FreshDelivery {
  readonly endpoint: ListeningEndpoint;
  readonly event: RecordedEvent;
}

/**
 * What of the events is for which endpoint: those of the types that it wants, from when it was made on, and not from
 * before `keptFrom`. Of those it may be that their deliveries were deleted: a replay would send them a second time.
 */
export function deliveriesOf(
  endpoints: readonly ListeningEndpoint[],
  events: readonly RecordedEvent[],
  keptFrom: Date,
): FreshDelivery[] {
  return endpoints.flatMap((endpoint) => {
    const from = Math.max(endpoint.receives_from.getTime(), keptFrom.getTime());
    return events
      .filter(({ type, occurredAt }) => wants(endpoint.event_types, type) && Date.parse(occurredAt) >= from)
      .map((event) => ({ endpoint, event }));
  });
}

/** Puts deliveries into their lanes. Those that are there already stay as they are. */
export async function enqueueDeliveries(tx: TenantTx, fresh: readonly FreshDelivery[]): Promise<void> {
  const each = <T>(pick: (delivery: FreshDelivery) => T): T[] => fresh.map(pick);
  const inserted = await tx.rows(INSERT, [
    tx.tenantId,
    each(({ endpoint, event }) => deterministicId('webhooks.delivery', endpoint.id, event.id)),
    each(({ endpoint }) => endpoint.id),
    each(({ event }) => event.id),
    each(({ event }) => event.type),
    each(({ event }) => `${event.streamType}/${event.streamId}`),
    each(({ event }) => event.seq),
    each(({ endpoint }) => endpoint.is_disabled),
  ]);
  const off = new Set(
    fresh.filter(({ endpoint }) => endpoint.is_disabled).map(({ endpoint }) => endpoint.id),
  );
  await openLanes(
    tx,
    inserted.filter(({ endpoint_id: id }) => !off.has(id)),
    false,
  );
}

/** Sees to it that the lanes are looked at; at once if they are to be `hurried`, whatever their backoff. */
export async function openLanes(
  tx: TenantTx,
  lanes: readonly { readonly endpoint_id: string; readonly stream: string }[],
  hurried: boolean,
): Promise<void> {
  if (lanes.length === 0) return;
  const endpoints = lanes.map((lane) => lane.endpoint_id);
  const streams = lanes.map(({ stream }) => stream);
  await tx.execute(OPEN_LANES, [tx.tenantId, endpoints, streams, hurried]);
}
