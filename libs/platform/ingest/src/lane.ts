import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DependencyAway, Policy } from '@holdfast/resilience';
import { Accounting, type Amount } from './accounting';
import { Ring, type RingLimits } from './ring';
import { halvesOf, RunBatch, rowCount, sharedOut } from './run-batch';
import { type Spill, SpillFull } from './spill';
import type { RowsByTenant } from './spill-frame';
import {
  BATCH_ROWS,
  BatchRefusedBySink,
  type RowRun,
  runsOf,
  type TelemetryBatch,
  type TelemetryRow,
  type TelemetrySink,
  type TelemetryTable,
} from './telemetry-sink';
import type { DropReason } from './tracked-event';

/** What a lane needs. */
export interface LaneOptions {
  readonly sink: TelemetrySink;
  readonly spill: Spill;
  readonly ring: RingLimits;
  /** Told of what an operator has to know, and of rows that the store refuses. */
  readonly report: (error: unknown, doing: string) => void;
  readonly onRefused: (row: TelemetryRow) => void;
  /** Whether nothing of the tenant may be stored any more, however it got here. */
  readonly isErased?: (tenantId: string) => boolean;
}

/** Batches on their way to the store, in order. */
interface Way {
  readonly left: TelemetryBatch[];
  /** How often the batch that its first parts are of has been halved. */
  halved?: { readonly token: string; readonly times: number; readonly timesMax: number };
  /** Given up at the end of the process: what the store says later counts no more. */
  isAbandoned: boolean;
}

/** What rows take of a batch on average, at most: of 40,000 in three bytes a character no more than a store has to take (64 MiB). */
const BYTES_PER_ROW = 512;
/** How old a row may get while it waits for others. */
const FLUSH_MS = 200;
/** Above this, rows go to the disk while their store is busy, so that there is room for a burst. */
const FILL_MAX = 0.5;
/**
 * Of `BATCH_ROWS`. Then what is refused of a batch is refused whole: it costs 129 attempts at most, where all rows are refused, and not
 * 20,000.
 */
const HALVINGS_MAX = 64;
const ATTEMPTS_MAX = 3;
const RETRY_MS = 100;
/** Waits before the spilled are tried again grow up to this, each a random part of it (full jitter). */
const REPLAY_MS = 500;
const REPLAY_MAX_MS = 30_000;
/** How long a disk that has refused a batch is left alone: rows stay in memory meanwhile, as far as there is room. */
const SPILL_AGAIN_MS = 1_000;
/** Batches that are not events: the accounting and the samples of a minute. */
const ASIDE_MAX = 64;

/**
 * The way of rows into one store: ring, batch, store; and to the disk and back where the store does not take them.
 *
 * A batch keeps its token on all its ways, so that one whose outcome was not heard is in effect once. Nothing here waits for the store
 * but the batch that is on its way to it. Whoever dies loses the ring and that batch, if it was not stored.
 */
export class Lane {
  readonly accounting = new Accounting();
  private readonly ring: Ring;
  /** While its circuit is open, what comes is spilled at once. */
  private readonly batches = new Policy('telemetry_batches', {
    isFailure: (error) => !(error instanceof BatchRefusedBySink),
  });
  private readonly aside: TelemetryBatch[] = [];
  /** Batches that neither the store nor the disk would take. */
  private readonly back: TelemetryBatch[] = [];
  private spillAtMs = 0;
  private storing: (Way & { readonly ended: Promise<void> }) | undefined;
  private replay: Way | undefined;
  private replaying: Promise<void> | undefined;
  private replayFailures = 0;
  private replayAtMs = 0;
  private wake: (() => void) | undefined;
  private running: Promise<void> | undefined;
  private ended = false;

  constructor(private readonly options: LaneOptions) {
    this.ring = new Ring(options.ring);
  }

  get name(): string {
    return this.options.sink.name;
  }

  get fill(): number {
    return this.ring.fill;
  }

  get isOpen(): boolean {
    return this.batches.isOpen;
  }

  get spillBytesMax(): number {
    return this.options.spill.bytesMax;
  }

  get spillBytes(): number {
    return this.options.spill.bytes;
  }

  /** Finds what an earlier process has spilled, and begins to send. */
  start(): void {
    for (const [tenantId, rows] of this.options.spill.recover()) {
      this.accounting.add(tenantId, 'recovered', rows);
      this.accounting.add(tenantId, 'spilled', rows);
    }
    this.running = this.run();
  }

  /** Takes runs of one tenant; answers how many rows those are. The others are counted as dropped. */
  offer(tenantId: string, runs: readonly RowRun[]): number {
    let taken = 0;
    let left = 0;
    for (const run of runs) {
      const { count = 1 } = run;
      if (!this.ended && this.ring.offer(run)) taken += count;
      else left += count;
    }
    if (taken > 0) this.accounting.add(tenantId, 'in_flight', taken);
    if (left > 0) this.accounting.add(tenantId, this.ended ? 'shutdown' : 'overload', left);
    if (this.isDue) this.wake?.();
    return taken;
  }

  /** Whether it would take all of a run of so many bytes. */
  fits(run: Omit<RowRun, 'line'>, bytes: number): boolean {
    return !this.ended && this.ring.fits(run, bytes);
  }

  /** Sends rows that are not events: not counted, and the oldest are let go where too many wait. */
  offerAside(table: TelemetryTable, rows: readonly TelemetryRow[]): void {
    if (rows.length === 0) return;
    if (this.aside.length >= ASIDE_MAX) this.aside.shift();
    this.aside.push({ table, token: randomUUID(), rows });
  }

  /** Stores what is in memory within the time, and spills the rest. Again, what was put aside since. */
  async drain(deadlineMs: number): Promise<void> {
    const endsAtMs = Date.now() + deadlineMs;
    this.ended = true;
    this.wake?.();
    await this.running;
    while (Date.now() < endsAtMs) {
      const ended = this.storing?.ended ?? this.storeNext();
      if (!ended) break;
      await Promise.race([ended, sleep(endsAtMs - Date.now(), undefined, { ref: false })]);
    }
    if (this.replaying) {
      const leftMs = Math.max(endsAtMs - Date.now(), 0);
      await Promise.race([this.replaying, sleep(leftMs, undefined, { ref: false })]);
    }
    if (this.replay) this.replay.isAbandoned = true;
    const late = this.storing;
    if (late) late.isAbandoned = true;
    for (const batch of late?.left.splice(0) ?? []) await this.spill(batch);
    for (let batch = this.nextBatch(); batch; batch = this.nextBatch()) await this.spill(batch);
    await this.options.spill.close();
  }

  private async run(): Promise<void> {
    while (!this.ended) {
      await this.sleepUntilDue();
      this.replayWhenDue();
      if (!this.storing) void this.storeNext();
      else if (this.isDue) await this.spillNext();
    }
  }

  /** Until a batch is full and can be sent, or the oldest row has waited long enough. */
  private async sleepUntilDue(): Promise<void> {
    if (this.ended || this.isDue) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, FLUSH_MS);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = undefined;
  }

  private get isDue(): boolean {
    if (!this.storing) return this.ring.rows >= BATCH_ROWS;
    return this.ring.fill > FILL_MAX && Date.now() >= this.spillAtMs;
  }

  private nextBatch(rowsMax = BATCH_ROWS): TelemetryBatch | undefined {
    const waiting = this.back.shift() ?? this.aside.shift();
    if (waiting) return waiting;
    const runs = this.ring.take(rowsMax, rowsMax * BYTES_PER_ROW);
    return runs.length > 0 ? new RunBatch(randomUUID(), runs) : undefined;
  }

  private storeNext(): Promise<void> | undefined {
    // What is not going to be stored is spilled, in pieces that hold nobody up.
    const batch = this.nextBatch(this.isOpen ? BATCH_ROWS : this.options.sink.rowsMax);
    if (!batch) return undefined;
    const way: Way = { left: [batch], isAbandoned: false };
    const ended = this.storeOrSpill(way).finally(() => {
      this.storing = undefined;
      if (this.isDue) this.wake?.();
    });
    this.storing = Object.assign(way, { ended });
    return ended;
  }

  private async spillNext(): Promise<void> {
    const batch = this.nextBatch();
    if (batch) await this.spill(batch);
  }

  private async storeOrSpill(way: Way): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      await this.store(way, 'in_flight');
      if (way.left.length === 0 || way.isAbandoned) return;
      if (attempt === ATTEMPTS_MAX || this.isOpen || this.ended) break;
      await sleep(Math.random() * RETRY_MS * 2 ** attempt);
      if (way.isAbandoned) return;
    }
    while (!way.isAbandoned) {
      const batch = way.left.shift();
      if (!batch) break;
      await this.spill(batch);
    }
    // Where the disk has refused some of it, the store is not asked again at once.
    while (this.back.length > 0 && !this.ended && Date.now() < this.spillAtMs) await sleep(RETRY_MS);
  }

  /** Stores what is left, in halves where the store refuses it, and counts each as it goes; ends when the store does not answer well. */
  private async store(way: Way, from: Amount): Promise<void> {
    for (let batch = this.firstOf(way, from); batch && !way.isAbandoned; batch = this.firstOf(way, from)) {
      const outcome = await this.attempt(batch);
      if (outcome === 'away' || way.isAbandoned) return;
      if (outcome === 'refused' && halve(way)) continue;
      way.left.shift();
      this.count(batch, from, outcome);
      if (outcome === 'refused') batch.rows.forEach(this.options.onRefused);
    }
  }

  /** The next batch, without rows of tenants that are erased: they come back from the disk long after they have been deleted. */
  private firstOf(way: Way, from: Amount): TelemetryBatch | undefined {
    const { isErased } = this.options;
    const [batch] = way.left;
    if (!batch || !isErased) return batch;
    if (!runsOf(batch).some(({ tenantId }) => isErased(tenantId))) return batch;
    const [erased, kept] = sharedOut(batch, isErased);
    this.count(erased, from, 'erased');
    if (kept) return (way.left[0] = kept);
    way.left.shift();
    return this.firstOf(way, from);
  }

  private async attempt(batch: TelemetryBatch): Promise<'stored' | 'refused' | 'away'> {
    try {
      await this.batches.run(() => this.options.sink.store(batch));
      return 'stored';
    } catch (error) {
      const isRefused = error instanceof BatchRefusedBySink;
      if (!(error instanceof DependencyAway && error.reason === 'circuit_open'))
        this.options.report(error, `storing ${rowCount(batch)} rows in ${this.name}`);
      return isRefused ? 'refused' : 'away';
    }
  }

  /**
   * Puts the batch on the disk. For what has no room there is none; what the disk does not take waits in memory, and is dropped only at
   * the end.
   */
  private async spill(batch: TelemetryBatch): Promise<void> {
    try {
      await this.options.spill.append(batch, (dropped) => this.giveUp(dropped, 'spill_full'));
      this.count(batch, 'in_flight', 'spilled');
    } catch (error) {
      this.options.report(error, `spilling ${rowCount(batch)} rows for ${this.name}`);
      if (error instanceof SpillFull) return this.count(batch, 'in_flight', 'spill_full');
      if (this.ended) return this.count(batch, 'in_flight', 'shutdown');
      this.spillAtMs = Date.now() + SPILL_AGAIN_MS;
      this.back.push(batch);
    }
  }

  /** Counts what was on the disk and is there no more. */
  private giveUp(dropped: RowsByTenant, reason: DropReason): void {
    for (const [tenantId, rows] of dropped) this.accounting.move(tenantId, 'spilled', reason, rows);
  }

  private replayWhenDue(): void {
    if (this.replaying || this.options.spill.isEmpty || Date.now() < this.replayAtMs) return;
    this.replaying = this.replayOldest()
      .then((isDone) => this.setNextReplay(isDone))
      .catch((error: unknown) => {
        this.options.report(error, `reading what was spilled for ${this.name}`);
        this.setNextReplay(false);
      })
      .finally(() => {
        this.replaying = undefined;
        // The next segment at once: a store that is well does not wait for the loop to look.
        if (!this.ended) this.replayWhenDue();
      });
  }

  private setNextReplay(isDone: boolean): void {
    this.replayFailures = isDone ? 0 : this.replayFailures + 1;
    const upToMs = Math.min(REPLAY_MS * 2 ** this.replayFailures, REPLAY_MAX_MS);
    this.replayAtMs = isDone ? 0 : Date.now() + Math.random() * upToMs;
  }

  /** Stores what the oldest segment holds, beside what comes in: each has one batch on its way. Answers whether all of it is stored. */
  private async replayOldest(): Promise<boolean> {
    const left = await this.options.spill.readOldest((lost) => this.giveUp(lost, 'spill_failed'));
    if (!left) return true;
    this.replay = { left, isAbandoned: this.ended };
    await this.store(this.replay, 'spilled');
    const isDone = left.length === 0;
    await this.options.spill.release();
    return isDone;
  }

  private count(batch: TelemetryBatch, from: Amount, to: Amount | DropReason): void {
    if (batch.table !== 'tracked') return;
    const counts = new Map<string, number>();
    for (const { tenantId, count = 1 } of runsOf(batch))
      counts.set(tenantId, (counts.get(tenantId) ?? 0) + count);
    for (const [tenantId, count] of counts) {
      this.accounting.move(tenantId, from, to, count);
      if (from === 'spilled' && to === 'stored') this.accounting.add(tenantId, 'replayed', count);
    }
  }
}

/**
 * Halves the first batch of the way; answers whether it did. The halves go behind all other parts of the same batch, so that rows that
 * are refused are closed in on alike, and few good ones are lost with them at the end.
 */
function halve(way: Way): boolean {
  const [batch] = way.left;
  if (!batch || rowCount(batch) < 2) return false;
  const token = wholeOf(batch);
  const { times, timesMax } =
    way.halved?.token === token
      ? way.halved
      : { times: 0, timesMax: HALVINGS_MAX * Math.ceil(rowCount(batch) / BATCH_ROWS) };
  if (times === timesMax) return false;
  way.halved = { token, times: times + 1, timesMax };
  const others = way.left.findIndex((other) => wholeOf(other) !== token);
  way.left.splice(others < 0 ? way.left.length : others, 0, ...halvesOf(batch));
  way.left.shift();
  return true;
}

/** The token of the batch that this one is, or is a part of. */
function wholeOf({ token }: TelemetryBatch): string {
  return token.replace(/\..*$/, '');
}
