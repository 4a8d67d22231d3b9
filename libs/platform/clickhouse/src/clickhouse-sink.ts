import { BatchRefusedBySink, chunksOf, type TelemetryBatch, type TelemetrySink } from '@holdfast/ingest';
import { type ClickHouseEndpoint, TelemetryClient } from './telemetry-client';
import { TelemetryUnavailable } from './telemetry-unavailable';

/** 40,000 rows take a second. Who waits longer sends the batch again, and its token makes it one. */
const DEADLINE_MS = 10_000;
/** One for each table, and one for a replay. */
const CONNECTIONS_MAX = 4;
/** Lines are put together for the socket so many bytes at a time: all at once would hold up every request for 30 ms. */
const CHUNK_BYTES = 128 * 1024;

/**
 * ClickHouse as a store of telemetry: lines go into the tables as they are, without being read here, whether in JSON or in columns.
 *
 * A batch that comes again within the last thousand of its table is dropped by its token; after that its rows are copies, which
 * `final` and the roll-ups count once. The schema is applied before the first batch, so ingest may start while ClickHouse is away.
 */
export class ClickHouseSink implements TelemetrySink {
  readonly name = 'clickhouse';
  readonly rowsMax = 40_000;
  private readonly client: TelemetryClient;

  constructor(endpoint: ClickHouseEndpoint) {
    this.client = new TelemetryClient(endpoint, CONNECTIONS_MAX);
  }

  async store(batch: TelemetryBatch): Promise<void> {
    const { table, token } = batch;
    const runs = batch.runs?.every(({ count }) => count !== undefined) ? batch.runs : undefined;
    const rows = runs ?? batch.rows;
    if (rows.length === 0) return;
    const signal = AbortSignal.timeout(DEADLINE_MS);
    try {
      await this.client.insertLines(
        runs ? 'tracked columns' : table,
        chunksOf(rows, CHUNK_BYTES),
        token,
        signal,
      );
    } catch (error) {
      if (error instanceof TelemetryUnavailable) throw error;
      throw new BatchRefusedBySink('ClickHouse cannot store a row of the batch', { cause: error });
    }
  }

  async ping(): Promise<void> {
    if (!(await this.client.ping())) throw new TelemetryUnavailable('no answer to a ping');
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
