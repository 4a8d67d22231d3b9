import { randomUUID } from 'node:crypto';
import type { TelemetryBatch, TelemetryRow } from './telemetry-sink';

/** A row of `ingest_minutes`: what one process counted in one place since it had told it last. */
interface Minute {
  readonly tenant_id: string;
  readonly at: string;
  readonly process_id: string;
  readonly lane: string;
  readonly outcome: string;
  readonly reason: string;
  readonly events: number;
}

/**
 * The minutes among the batches as one, with a row for whatever was counted under one name, as of the last of them: what is told again
 * and again does not grow. Undefined where there are none.
 */
export function mergedMinutes(batches: readonly TelemetryBatch[]): TelemetryBatch | undefined {
  const minutes = new Map<string, Minute>();
  for (const { table, rows } of batches) {
    if (table !== 'ingest_minutes') continue;
    for (const { line } of rows) {
      const minute = JSON.parse(line) as Minute;
      const { tenant_id: tenantId, process_id: processId, lane, outcome, reason } = minute;
      const key = [tenantId, processId, lane, outcome, reason].join(' ');
      const events = minute.events + (minutes.get(key)?.events ?? 0);
      minutes.set(key, { ...minute, events });
    }
  }
  if (minutes.size === 0) return undefined;
  const rows = [...minutes.values()].map((minute): TelemetryRow => ({
    tenantId: minute.tenant_id,
    priority: 'high',
    line: JSON.stringify(minute),
  }));
  return { table: 'ingest_minutes', token: randomUUID(), rows };
}
