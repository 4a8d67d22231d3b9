import { idSchema } from '@holdfast/kernel';
import type { RecordedEvent } from '@holdfast/events';
import { z } from 'zod';
import { bodyOf } from '../sending/signed-posting';

/** How a delivery stands. */
export const DELIVERY_STATUSES = ['pending', 'delivered', 'failed', 'canceled'] as const;

/** How a delivery stands. */
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** A row of webhooks.deliveries with the newest of its attempts. */
export interface DeliveryRow {
  readonly id: string;
  readonly endpoint_id: string;
  readonly event_id: string;
  readonly event_type: string;
  readonly stream: string;
  readonly status: DeliveryStatus;
  readonly attempt_count: number;
  readonly due_at: Date;
  readonly created_at: Date;
  /** With microseconds, for the cursor of a list. */
  readonly created_text: string;
  readonly completed_at: Date | null;
  readonly last_outcome: string | null;
  readonly last_status: number | null;
}

/** A row of webhooks.attempts. */
export interface AttemptRow {
  readonly number: number;
  readonly started_at: Date;
  readonly outcome: string;
  readonly status: number | null;
  readonly latency_ms: number;
  readonly url: string;
  readonly request_headers: Readonly<Record<string, string>>;
  readonly response_headers: Readonly<Record<string, string>> | null;
  readonly response_body: string | null;
}

/** How deliveries stand, in requests and on the wire. */
export const deliveryStatus = z.enum(DELIVERY_STATUSES);

const outcome = z.string().meta({
  description:
    'delivered, or why not: status, redirect, gone, timeout, connect_timeout, connection_refused, connection_lost, tls, name_unknown, name_server_failed, address_refused, headers_too_large, malformed_answer, no_secret, unreadable, failed.',
});

/** A delivery in a list. */
export const deliveryView = z.object({
  id: idSchema.meta({ description: 'Sent as `webhook-id`, the same at every attempt.' }),
  webhookId: idSchema,
  eventId: idSchema,
  eventType: z.string(),
  stream: z.string().meta({ description: 'Deliveries of one stream are sent in the order of its events.' }),
  status: deliveryStatus,
  attempts: z.int(),
  lastOutcome: outcome.nullable(),
  lastStatus: z.int().nullable().meta({ description: 'The receiver’s status at the newest attempt.' }),
  nextAttemptAt: z.iso.datetime().nullable().meta({ description: 'Not before; null once it is over.' }),
  createdAt: z.iso.datetime(),
  completedAt: z.iso.datetime().nullable(),
});

const headers = z.record(z.string(), z.string());

/** What was sent, but for the signatures. */
export const attemptRequestView = z.object({ url: z.string(), headers });

/** What came back, cut short. */
export const attemptResponseView = z.object({ status: z.int(), headers, body: z.string() });

/** One attempt. */
export const attemptView = z.object({
  number: z.int(),
  startedAt: z.iso.datetime(),
  outcome,
  latencyMs: z.int(),
  request: attemptRequestView,
  response: attemptResponseView
    .nullable()
    .meta({ description: 'Null where there was none. The body is cut to 4 KiB.' }),
});

/** A delivery with what was sent and what came back. */
export const deliveryDetailView = deliveryView.extend({
  body: z
    .record(z.string(), z.unknown())
    .nullable()
    .meta({ description: 'What is posted: a CloudEvent. Null once its event is gone.' }),
  log: z.array(attemptView).meta({ description: 'The newest twenty attempts, newest first.' }),
});

/** A delivery in a list. */
export type DeliveryView = z.output<typeof deliveryView>;

/** A delivery with what was sent and what came back. */
export type DeliveryDetailView = z.output<typeof deliveryDetailView>;

/** Shows a row. */
export function showDelivery(row: DeliveryRow): DeliveryView {
  return {
    id: row.id,
    webhookId: row.endpoint_id,
    eventId: row.event_id,
    eventType: row.event_type,
    stream: row.stream,
    status: row.status,
    attempts: row.attempt_count,
    lastOutcome: row.last_outcome,
    lastStatus: row.last_status,
    nextAttemptAt: row.status === 'pending' ? row.due_at.toISOString() : null,
    createdAt: row.created_at.toISOString(),
    completedAt: row.completed_at?.toISOString() ?? null,
  };
}

/** Shows a delivery with its attempts and its body. */
export function showDeliveryDetail(
  row: DeliveryRow,
  attempts: readonly AttemptRow[],
  event: RecordedEvent | null,
  testBody: unknown,
): DeliveryDetailView {
  const body = event || testBody ? { ...bodyOf(event, testBody) } : null;
  return { ...showDelivery(row), body, log: attempts.map(showAttempt) };
}

function showAttempt(row: AttemptRow): z.output<typeof attemptView> {
  const { status, response_headers: responseHeaders, response_body: body } = row;
  return {
    number: row.number,
    startedAt: row.started_at.toISOString(),
    outcome: row.outcome,
    latencyMs: row.latency_ms,
    request: { url: row.url, headers: row.request_headers },
    response: status === null ? null : { status, headers: responseHeaders ?? {}, body: body ?? '' },
  };
}
