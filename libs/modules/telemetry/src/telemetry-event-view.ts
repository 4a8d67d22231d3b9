import { z } from 'zod';

/** The type of an event in a filter. */
export const eventTypeSchema = z
  .string()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}+$/u, 'Control characters are not allowed.');

/** The aggregate that the event is about, and the version that the event took it to. */
export const telemetryStreamView = z.object({ type: z.string(), id: z.guid(), version: z.string() });

/** An event as telemetry shows it. */
export const telemetryEventView = z.object({
  id: z.guid(),
  type: z.string(),
  at: z.string().meta({ description: 'When it happened: RFC 3339, UTC.' }),
  stream: telemetryStreamView,
  actor: z.string(),
  act: z.string().nullable(),
  requestId: z.string(),
  traceparent: z.string().nullable(),
  data: z.record(z.string(), z.unknown()),
});

/** An event as telemetry shows it. */
export type TelemetryEventView = z.output<typeof telemetryEventView>;

/** A row of the view `telemetry.tenant_events`. */
export interface TelemetryEventRow {
  readonly id: string;
  readonly type: string;
  readonly at: string;
  readonly stream_type: string;
  readonly stream_id: string;
  readonly stream_version: string;
  readonly actor: string;
  readonly act: string | null;
  readonly request_id: string;
  readonly traceparent: string | null;
  readonly data: string;
}

/** Shows a row. */
export function showTelemetryEvent(row: TelemetryEventRow): TelemetryEventView {
  const { id, type, at, actor, act, traceparent } = row;
  const stream = { type: row.stream_type, id: row.stream_id, version: row.stream_version };
  const data = JSON.parse(row.data) as Record<string, unknown>;
  return { id, type, at, stream, actor, act, requestId: row.request_id, traceparent, data };
}
