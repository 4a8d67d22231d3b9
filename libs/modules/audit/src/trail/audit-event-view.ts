import { z } from 'zod';

/** The aggregate that the event is about, and the version that the event took it to. */
export const auditStreamView = z.object({ type: z.string(), id: z.guid(), version: z.string() });

/** Whether something was done, or refused to who tried. */
export const outcomeSchema = z.enum(['accepted', 'refused']);

/** An event of the log on the wire. */
export const auditEventView = z.object({
  id: z.guid(),
  type: z.string(),
  schemaVersion: z.int(),
  stream: auditStreamView,
  actor: z.string().meta({ description: 'Who did it, from a verified credential.' }),
  act: z
    .string()
    .nullable()
    .meta({ description: 'The operator who acted for the actor, in support of the tenant; mostly null.' }),
  requestId: z.string().meta({ description: 'The request, or job, at the root of the work.' }),
  causationId: z.string().nullable().meta({ description: 'The event that set the work off.' }),
  traceparent: z.string().nullable().meta({ description: 'W3C trace context of the work.' }),
  occurredAt: z.string().meta({ description: 'RFC 3339, UTC, to the microsecond.' }),
  outcome: outcomeSchema.meta({ description: 'What is refused has its code in `data`.' }),
  data: z.record(z.string(), z.unknown()),
});

/** An event of the log on the wire. */
export type AuditEventView = z.output<typeof auditEventView>;

/** A row of `events.log`. */
export interface AuditEventRow {
  readonly id: string;
  readonly type: string;
  readonly schema_version: number;
  readonly stream_type: string;
  readonly stream_id: string;
  readonly stream_version: bigint;
  readonly actor: string;
  readonly act: string | null;
  readonly correlation_id: string;
  readonly causation_id: string | null;
  readonly traceparent: string | null;
  readonly occurred_at: string;
  /** Announced events have objects; the log takes any JSON. */
  readonly data: Record<string, unknown>;
}

/** Shows a row. */
export function showAuditEvent(row: AuditEventRow): AuditEventView {
  const { id, type, actor, act, traceparent, data } = row;
  return {
    id,
    type,
    schemaVersion: row.schema_version,
    stream: { type: row.stream_type, id: row.stream_id, version: row.stream_version.toString() },
    actor,
    act,
    requestId: row.correlation_id,
    causationId: row.causation_id,
    traceparent,
    occurredAt: row.occurred_at,
    outcome: outcomeOf(type),
    data: isObject(data) ? data : { payload: data },
  };
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Types of events say it in their last word. */
export function outcomeOf(type: string): z.output<typeof outcomeSchema> {
  return type.endsWith('.refused') ? 'refused' : 'accepted';
}
