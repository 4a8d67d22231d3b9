import { type TelemetryStore, TelemetryUnavailable } from '@holdfast/clickhouse';
import { BatchRefused, Consumer, type RecordedEvent, type StoreConsumer } from '@holdfast/events';
import type { Deadline } from '@holdfast/kernel';

/**
 * Delivers the events of every tenant to ClickHouse.
 *
 * In effect once: a batch that is sent again carries its token, and the server drops it. Beyond the window of tokens, or
 * with the batches cut differently, a copy comes in; it shares the whole order key with the first, so reads see one.
 */
@Consumer({
  group: 'clickhouse',
  kind: 'store',
  events: 'all',
  key: 'stream',
  from: 'beginning',
  replay: 'idempotent',
})
export class ClickHouseConsumer implements StoreConsumer {
  readonly name = 'clickhouse';
  /** Large, since every insert makes a part that has to be merged; small enough to be a few megabytes at most. */
  readonly batchMax = 5_000;

  constructor(private readonly store: TelemetryStore) {}

  /**
   * Stores the events. Throws TelemetryUnavailable when it is not certain that they are stored, and BatchRefused when they are
   * not: a batch is far under the million rows of a block, and ClickHouse stores a block's rows of one month or none. Months
   * that it has stored before it refused another are copies when they come again.
   */
  async deliver(
    events: readonly RecordedEvent[],
    token: string,
    _confirm?: () => Promise<void>,
    deadline?: Deadline,
  ): Promise<void> {
    try {
      await this.store.insert('telemetry.events', events.map(rowOf), token, deadline);
    } catch (error) {
      throw error instanceof TelemetryUnavailable ? error : new BatchRefused(error);
    }
  }

  /** How many rows the store holds of a tenant. */
  countRows(tenantId: string): Promise<bigint> {
    return this.store.countRows(tenantId);
  }

  /** Removes everything that the store holds of a tenant. */
  eraseTenant(tenantId: string): Promise<void> {
    return this.store.eraseTenant(tenantId);
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
    act: event.act,
    request_id: event.correlationId,
    causation_id: event.causationId,
    traceparent: event.traceparent,
    data: JSON.stringify(event.data),
    seq: event.seq.toString(),
  };
}

/** The form that ClickHouse reads without a setting; the column is in UTC. */
function clickHouseTime(at: string): string {
  return at.replace('T', ' ').replace('Z', '');
}
