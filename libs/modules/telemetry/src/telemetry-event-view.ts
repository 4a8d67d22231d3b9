import { z } from 'zod';

/** The type of an event in a filter. */
export const eventTypeSchema = z
  .string()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}+$/u, 'Control characters are not allowed.');

/** What an event is: announced by Holdfast, or one of the calls that software of the tenant's makes. */
export const eventKindSchema = z.enum([
  'domain',
  'track',
  'identify',
  'page',
  'screen',
  'group',
  'alias',
  'log',
]);

/** A user as the tenant's software names them; of a domain event, the member who acted. */
export const userIdSchema = eventTypeSchema.meta({
  description: 'A user id or anonymous id as sent, or the id of a member.',
  example: 'user-1',
});

/** The aggregate that the event is about, and the version that the event took it to. */
export const telemetryStreamView = z.object({ type: z.string(), id: z.guid(), version: z.string() });

/** An event as telemetry shows it. */
export const telemetryEventView = z.object({
  id: z.string().meta({ description: 'Of a tracked event the id of its message, as sent.' }),
  kind: eventKindSchema.meta({ description: '`domain`, or the call that sent it.' }),
  type: z.string().meta({ description: 'Of a tracked event its name.' }),
  at: z.string().meta({ description: 'When it happened: RFC 3339, UTC.' }),
  stream: telemetryStreamView.nullable().meta({ description: 'Null of a tracked event.' }),
  userId: z.string().nullable(),
  anonymousId: z.string().nullable(),
  groupId: z.string().nullable(),
  actor: z.string().meta({ description: 'Of a tracked event its user, or its anonymous id.' }),
  act: z.string().nullable(),
  requestId: z.string().nullable(),
  traceparent: z.string().nullable(),
  data: z.record(z.string(), z.unknown()).meta({ description: 'Of a tracked event its properties.' }),
  context: z.record(z.string(), z.unknown()).nullable().meta({ description: 'Null of a domain event.' }),
});

/** An event as telemetry shows it. */
export type TelemetryEventView = z.output<typeof telemetryEventView>;

/** A row of both sources; what a source does not have is empty. */
export interface TelemetryEventRow {
  readonly id: string;
  readonly kind: TelemetryEventView['kind'];
  readonly type: string;
  readonly at: string;
  readonly made_at: string;
  readonly stream_type: string;
  readonly stream_id: string;
  readonly stream_version: string;
  readonly user_id: string;
  readonly anonymous_id: string;
  readonly group_id: string;
  readonly actor: string;
  readonly act: string | null;
  readonly request_id: string;
  readonly traceparent: string | null;
  readonly properties: string;
  readonly context: string;
}

/** Shows a row. */
export function showTelemetryEvent(row: TelemetryEventRow): TelemetryEventView {
  const { id, kind, type, at, actor, act, traceparent } = row;
  const stream = { type: row.stream_type, id: row.stream_id, version: row.stream_version };
  return {
    id,
    kind,
    type,
    at,
    stream: kind === 'domain' ? stream : null,
    userId: row.user_id || null,
    anonymousId: row.anonymous_id || null,
    groupId: row.group_id || null,
    actor,
    act,
    requestId: row.request_id || null,
    traceparent,
    data: JSON.parse(row.properties) as Record<string, unknown>,
    context: kind === 'domain' ? null : (JSON.parse(row.context) as Record<string, unknown>),
  };
}
