import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { DeliveryStatus } from './delivery';
import { openLanes } from './queue.sql';

/** What a retry has to know of a delivery. */
export interface FoundDelivery {
  readonly endpoint_id: string;
  readonly status: DeliveryStatus;
  readonly stream: string;
}

const FIND = statement<FoundDelivery>(
  'webhooks.find_delivery_to_retry',
  `select endpoint_id, status, stream
   from webhooks.deliveries
   where tenant_id = $1 and id = $2`,
);

const RENEW = statement<{ id: string; endpoint_id: string; stream: string }>(
  'webhooks.renew_deliveries',
  `update webhooks.deliveries
   set status = 'pending', step = 0, due_at = clock_timestamp(), completed_at = null
   where tenant_id = $1 and id = any ($2::uuid[]) and status <> 'pending'
   returning id, endpoint_id, stream`,
);

const HURRY = statement(
  'webhooks.hurry_delivery',
  `update webhooks.deliveries
   set due_at = clock_timestamp(), step = 0
   where tenant_id = $1 and id = $2 and status = 'pending'`,
);

// The oldest first: of what one request does not reach, the next begins where this one has ended.
const LIST_RETRIABLE = statement<{ id: string; created_text: string }>(
  'webhooks.list_retriable',
  `select id, to_char(created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as created_text
   from webhooks.deliveries
   where tenant_id = $1
     and endpoint_id = $2
     and status = $3
     and ($4::text is null or event_type = $4)
     and created_at >= $5::timestamptz
     and created_at < coalesce($6::timestamptz, 'infinity')
   order by created_at, id
   limit $7
   for update`,
);

/** The delivery as it stands. */
export function findDelivery(tx: TenantTx, id: string): Promise<FoundDelivery | undefined> {
  return tx.row(FIND, [tx.tenantId, id]);
}

/** Begins the schedule of deliveries that are over anew, and answers how many there were. */
export async function renewDeliveries(tx: TenantTx, ids: readonly string[]): Promise<number> {
  const renewed = await tx.rows(RENEW, [tx.tenantId, ids]);
  await openLanes(tx, renewed, true);
  return renewed.length;
}

/**
 * Makes a delivery that waits for its next attempt due; false when it is over by now. It is sent once what stands before it
 * in its lane is over. The lane is locked first, as by its sender: the other way round the two would wait for each other.
 */
export async function hurryDelivery(
  tx: TenantTx,
  id: string,
  { endpoint_id: endpointId, stream }: FoundDelivery,
): Promise<boolean> {
  await openLanes(tx, [{ endpoint_id: endpointId, stream }], true);
  return (await tx.execute(HURRY, [tx.tenantId, id])) === 1;
}

/** Which deliveries of an endpoint to retry. */
export interface RetryFilter {
  readonly status: DeliveryStatus;
  readonly type: string | undefined;
  readonly from: string;
  readonly to: string | undefined;
}

/** Up to so many deliveries that a filter chooses, the oldest first. */
export function listRetriable(
  tx: TenantTx,
  endpointId: string,
  { status, type, from, to }: RetryFilter,
  limit: number,
): Promise<{ id: string; created_text: string }[]> {
  const values = [tx.tenantId, endpointId, status, type ?? null, from, to ?? null, limit];
  return tx.rows(LIST_RETRIABLE, values);
}

const INSERT_TEST = statement(
  'webhooks.insert_test_delivery',
  `insert into webhooks.deliveries (tenant_id, id, endpoint_id, event_id, event_type, stream, seq, test_body, status)
   values ($1, $2, $3, $4, $5, $6, 0, $7, 'pending')`,
);

/** Puts a test into a lane of its own. */
export async function insertTestDelivery(
  tx: TenantTx,
  test: {
    readonly id: string;
    readonly endpointId: string;
    readonly eventId: string;
    readonly type: string;
    readonly body: object;
  },
): Promise<void> {
  const { id, endpointId, eventId, type, body } = test;
  const stream = `webhooks.endpoint/${id}`;
  await tx.execute(INSERT_TEST, [tx.tenantId, id, endpointId, eventId, type, stream, JSON.stringify(body)]);
  await openLanes(tx, [{ endpoint_id: endpointId, stream }], true);
}
