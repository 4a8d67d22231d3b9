import type { RecordedEvent, StoreGroup } from '@holdfast/events';
import type { TelemetryStore } from './telemetry-store';

/**
 * Delivers the events of every tenant to ClickHouse.
 *
 * In effect once: a batch that is sent again carries its token, and the server drops it. Beyond the window of tokens, or
 * with the batches cut differently, a copy comes in; it shares the whole order key with the first, so reads see one.
 */
export class ClickHouseGroup implements StoreGroup {
  readonly name = 'clickhouse';
  /** Large, since every insert makes a part that has to be merged; small enough to be a few megabytes at most. */
  readonly batchMax = 5_000;

  constructor(private readonly store: TelemetryStore) {}

  /** Stores the events; throws TelemetryUnavailable when it is not certain that they are stored. */
  deliver(events: readonly RecordedEvent[], token: string): Promise<void> {
    return this.store.insert('telemetry.events', events.map(rowOf), token);
  }
}

function rowOf(event: RecordedEvent): Readonly<Record<string, unknown>> {
  return {
    tenant_id: event.tenantId,
    at: clickHouseTime(event.occurredAt),
    id: event.id,
    type: event.type,
    schema_version: event.schemaVersion,
    stream_type: event.streamType,
    stream_id: event.streamId,
    stream_version: event.streamVersion.toString(),
    actor: event.actor,
    request_id: event.correlationId,
    causation_id: event.causationId,
    traceparent: event.traceparent,
    data: JSON.stringify(event.data),
    seq: event.seq.toString(),
  };
}

/** The form that ClickHouse reads without a setting; the column is in UTC. */
function clickHouseTime(at: Date): string {
  return at.toISOString().replace('T', ' ').replace('Z', '');
}
