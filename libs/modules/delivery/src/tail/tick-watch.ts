import { setTimeout as sleep } from 'node:timers/promises';
import { getNewestTick, type NewestTick } from '@holdfast/events';
import { TenantDatabase } from '@holdfast/tenancy';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { StreamsUnavailable } from '../delivery.errors';
import { isLater, readSnapshot, type Snapshot } from './snapshot';

/** A point of the log behind which everything is settled. */
export interface TickPoint {
  readonly lineage: bigint;
  readonly snapshot: Snapshot;
}

/** Between two looks while ticks come; a look costs a third of a millisecond. */
const ACTIVE_MS = 25;
/** Looks back off to this while none do. */
const IDLE_MAX_MS = 200;
const IDLE_GROWTH = 1.3;
/** After a look that failed: the database is away. */
const FAILED_MS = 1_000;

/**
 * Watches for ticks, once for all streams of the process, and only while there are any.
 *
 * A tick is published when it is durable: it commits without waiting for the disk, and a cursor outside that names one
 * which a crash has undone would hide whatever commits under the same transaction ids afterwards. A statement that sees
 * the tick sees its commit in the WAL, so the tick is durable once the WAL is up to where it was then; and with it the
 * record of every transaction that the snapshot takes for ended.
 */
@Injectable()
export class TickWatch implements OnModuleDestroy {
  private readonly logger = new Logger('tail');
  private readonly waiting = new Set<(over: undefined) => void>();
  private readonly stopping = new AbortController();
  private published: (TickPoint & { readonly id: bigint }) | undefined;
  /** The tick that is published next, once it is durable. */
  private seen: NewestTick | undefined;
  private users = 0;
  private running: Promise<void> | undefined;

  constructor(private readonly tenants: TenantDatabase) {}

  /** Watches until the answer is called. */
  use(): () => void {
    this.users += 1;
    this.running ??= this.keepLooking();
    let isOver = false;
    return () => {
      if (!isOver) this.users -= 1;
      isOver = true;
    };
  }

  /** The newest durable tick, looked up for this call. Throws DatabaseUnavailable, StreamsUnavailable. */
  async newest(withinMs: number): Promise<TickPoint> {
    const until = performance.now() + withinMs;
    const asked = await this.look();
    for (;;) {
      if (this.published && this.published.id >= asked.id) return this.published;
      if (performance.now() > until || this.stopping.signal.aborted) throw new StreamsUnavailable();
      await this.change(ACTIVE_MS, this.stopping.signal);
      await this.look();
    }
  }

  /** A durable tick that shows more than the snapshot; undefined if none comes within the time. */
  async later(than: Snapshot, withinMs: number, signal: AbortSignal): Promise<TickPoint | undefined> {
    const until = performance.now() + withinMs;
    for (;;) {
      if (this.published && isLater(this.published.snapshot, than)) return this.published;
      const leftMs = until - performance.now();
      if (leftMs <= 0 || signal.aborted) return undefined;
      await this.change(leftMs, signal);
    }
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Waits until a tick is published, or the time is over, or the signal says so. */
  private async change(withinMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const timer = setTimeout(resolve, withinMs);
    this.waiting.add(resolve);
    signal.addEventListener('abort', resolve);
    await promise;
    signal.removeEventListener('abort', resolve);
    clearTimeout(timer);
    this.waiting.delete(resolve);
  }

  private async keepLooking(): Promise<void> {
    let pauseMs = ACTIVE_MS;
    while (this.users > 0 && !this.stopping.signal.aborted) {
      const before = this.published?.id;
      try {
        await this.look();
        const isQuiet = before === this.published?.id && !this.seen;
        pauseMs = isQuiet ? Math.min(IDLE_MAX_MS, pauseMs * IDLE_GROWTH) : ACTIVE_MS;
      } catch (error) {
        this.logger.warn(`looking for ticks failed: ${String(error)}`);
        pauseMs = FAILED_MS;
      }
      await sleep(pauseMs, undefined, { signal: this.stopping.signal }).catch(() => {}); // Stopped.
    }
    this.running = undefined;
  }

  private async look(): Promise<NewestTick> {
    const tick = await getNewestTick(this.tenants.database);
    if (!tick.isSound) return tick;
    // In another database what was seen before says nothing; where its ticks went back, they are published all the same.
    if (tick.lineage !== this.published?.lineage) this.published = this.seen = undefined;
    // The one that was seen first is waited for: one that comes after it each time would never be published.
    this.seen ??= tick.id === this.published?.id ? undefined : tick;
    if (this.seen && endOfRecord(this.seen.insertedTo) <= tick.flushedTo) {
      this.publish(this.seen);
      this.seen = undefined;
    }
    return tick;
  }

  private publish({ id, lineage, snapshot }: NewestTick): void {
    if (this.published && id <= this.published.id) return;
    this.published = { id, lineage, snapshot: readSnapshot(snapshot) };
    for (const resolve of this.waiting) resolve(undefined);
  }
}

const WAL_PAGE_BYTES = 8_192n;
/** Of a page, and of the first page of a segment. */
const WAL_HEADER_BYTES = new Set([24n, 40n]);

/** Where the last record ends: at the edge of a page PostgreSQL inserts behind the header of the next, which is not written yet. */
function endOfRecord(position: bigint): bigint {
  const offset = position % WAL_PAGE_BYTES;
  return WAL_HEADER_BYTES.has(offset) ? position - offset : position;
}
