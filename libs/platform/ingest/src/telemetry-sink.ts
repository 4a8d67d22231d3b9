import type { Priority } from './tracked-event';

/** Tables of the telemetry store that ingest writes. */
export type TelemetryTable = 'tracked' | 'ingest_minutes' | 'bad_rows';

/** A row on its way: written once, as a line of JSON, which is what is kept in memory, spilled to disk and stored. */
export interface TelemetryRow {
  readonly tenantId: string;
  readonly priority: Priority;
  /** One JSON object without a line break; its members are the columns of the table. */
  readonly line: string;
}

/**
 * Rows of one tenant that came together: with a count, so many lines of columns (tracked-line.ts), and a line break between two. ClickHouse reads those
 * in a third of the time that JSON takes it. Without, a row.
 */
export interface RowRun extends TelemetryRow {
  readonly count?: number;
}

/** Rows that are stored together. The same batch has the same token however often it is sent, also after a restart. */
export interface TelemetryBatch {
  readonly table: TelemetryTable;
  readonly token: string;
  readonly rows: readonly TelemetryRow[];
  /** The same rows as they came, where that is known. */
  readonly runs?: readonly RowRun[];
}

/** The rows of a batch as they came, or one by one: who asks for `rows` has them written as JSON. */
export function runsOf(batch: TelemetryBatch): readonly RowRun[] {
  return batch.runs ?? batch.rows;
}

/** Rows of a batch: as many as a disk is given at once, and as are read back from it. */
export const BATCH_ROWS = 10_000;

/** Where telemetry is stored. ClickHouse and Kafka pass one suite. */
export interface TelemetrySink {
  /** In metrics and in the names of directories: lower case. */
  readonly name: string;
  /** How many rows of those that wait it is given at once: absent, `BATCH_ROWS`. */
  readonly rowsMax?: number;
  /**
   * Stores the batch, and answers once it is there for good. A batch that comes again with its token is in effect there once.
   *
   * Throws BatchRefusedBySink when nothing was stored and these rows never will be: whoever sends halves the batch. After any other
   * error it is not known whether the batch is stored, and the same batch may be sent again. Ends within `DEADLINE_MS`.
   */
  store(batch: TelemetryBatch): Promise<void>;
  /** Resolves when the store answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** The store answered that rows of the batch cannot be stored, and stored none. */
export class BatchRefusedBySink extends Error {
  override readonly name = 'BatchRefusedBySink';
}
