import {
  BatchRefusedBySink,
  type TelemetryBatch,
  type TelemetryRow,
  type TelemetrySink,
} from '../src/telemetry-sink';

/** What a sink does with a batch: stores it, or fails before or after it has. */
export type Answer = 'store' | 'fail' | 'store_and_fail' | 'hang';

/**
 * A store in memory that fails as it is told to. Like the real ones it stores a batch whole or not at all, refuses one that has a row it
 * cannot take, and knows a batch again by its token.
 */
export class ScriptedSink implements TelemetrySink {
  readonly name = 'scripted';
  readonly batches = new Map<string, TelemetryBatch>();
  attempts = 0;
  /** Asked at each batch. */
  answer: () => Answer = () => 'store';
  /** Rows that this store never takes. */
  refuses: (row: TelemetryRow) => boolean = () => false;
  private release = Promise.withResolvers<void>();

  /** The lines of events that are in the store, copies included. */
  get lines(): string[] {
    return [...this.batches.values()]
      .filter(({ table }) => table === 'tracked')
      .flatMap(({ rows }) => rows.map(({ line }) => line));
  }

  /** Lets batches go that hang: they are stored, late. */
  releaseAll(): void {
    this.release.resolve();
    this.release = Promise.withResolvers<void>();
  }

  async store(batch: TelemetryBatch): Promise<void> {
    this.attempts += 1;
    const answer = this.answer();
    if (answer === 'hang') await this.release.promise;
    // What is slower than a microtask, as every store is, may be overtaken.
    await new Promise((resolve) => setImmediate(resolve));
    if (answer === 'fail') throw new Error('the store is away');
    if (batch.rows.some(this.refuses)) throw new BatchRefusedBySink('a row cannot be stored');
    this.batches.set(batch.token, this.batches.get(batch.token) ?? batch);
    if (answer === 'store_and_fail') throw new Error('the connection was lost');
  }

  async ping(): Promise<void> {
    if (this.answer() === 'fail') throw new Error('the store is away');
  }

  close(): Promise<void> {
    this.releaseAll();
    return Promise.resolve();
  }
}
