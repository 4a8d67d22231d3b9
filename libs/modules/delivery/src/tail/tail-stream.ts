import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, DomainError, Forbidden, holds } from '@holdfast/kernel';
import type { RecordedEvent } from '@holdfast/events';
import type { TenantDatabase } from '@holdfast/tenancy';
import { LogChanged, StreamsUnavailable } from '../delivery.errors';
import type { Snapshot } from './snapshot';
import { encodePosition, type TailPosition } from './tail-cursor';
import { lagSeconds } from './tail-metrics';
import { listTenantSpan } from './tail.sql';
import type { TickWatch } from './tick-watch';

/** An event and the cursor behind it; or only a cursor, to say that the stream is alive and how far it has looked. */
export interface TailItem {
  readonly cursor: string;
  readonly event?: RecordedEvent;
}

/** What a stream reads by. */
export interface TailSource {
  readonly tenants: TenantDatabase;
  readonly watch: TickWatch;
  /** Lets so many streams of the process read at a time. */
  readonly inTurn: <T>(read: () => Promise<T>) => Promise<T>;
  /** Least time between two looks, in milliseconds. */
  readonly paceMs: () => number;
}

/** Whose stream it is, and how that is found out again. */
export interface TailReader {
  readonly caller: Caller;
  readonly readmit: () => Promise<Caller>;
  readonly wants: (event: RecordedEvent) => boolean;
}

/** A page is read when the one before it has been taken, so this is what a stream holds in memory. */
const PAGE_MAX = 100;
/** Under the minute after which proxies close connections on which nothing comes. */
const BEAT_MS = 15_000;
/** A pod hears of a revocation within two seconds, and its streams within two more: under the five that are promised. */
const READMIT_MS = 2_000;

/**
 * One reader's events, from a position on, without an end. A page is read only when the one before it has been taken, so
 * a slow reader costs a page of memory.
 *
 * It ends when it is told to, and when its credential is no longer good: that is found out every two seconds, which also
 * renews the grant it reads by.
 */
export class TailStream {
  private readonly ending = new AbortController();
  private readonly readmitting: NodeJS.Timeout;
  private caller: Caller;
  private isUpToDate = false;
  private isReadmitting = false;
  /** Why it has ended, where it was not its reader who ended it. */
  failure: DomainError | undefined;

  constructor(
    private readonly source: TailSource,
    private readonly reader: TailReader,
    private position: TailPosition,
    private readonly onEnd: () => void,
  ) {
    this.caller = reader.caller;
    this.readmitting = setInterval(() => void this.readmit(), READMIT_MS).unref();
  }

  /** Aborted once the stream has ended. */
  get signal(): AbortSignal {
    return this.ending.signal;
  }

  /** Ends the stream; what has been read of it and not been sent is read again behind the reader's cursor. */
  end(failure?: DomainError): void {
    if (this.signal.aborted) return;
    this.failure = failure;
    clearInterval(this.readmitting);
    this.ending.abort();
    this.onEnd();
  }

  /** The events that the reader wants, in order; a cursor alone at first, and whenever there is nothing for 15 seconds. */
  async *items(): AsyncGenerator<TailItem, void, undefined> {
    try {
      yield { cursor: encodePosition(this.caller, this.position) };
      for (let sentAtMs = performance.now(); !this.signal.aborted;) {
        const items = await this.nextItems(sentAtMs + BEAT_MS);
        yield* this.untilEnded(items);
        if (items.length > 0) sentAtMs = performance.now();
      }
    } catch (error) {
      if (!this.signal.aborted && !(error instanceof DomainError)) throw error;
      this.end(error instanceof DomainError ? error : undefined);
    } finally {
      this.end();
    }
  }

  private *untilEnded(items: readonly TailItem[]): Generator<TailItem, void, undefined> {
    for (const item of items) {
      if (this.signal.aborted) return;
      yield item;
    }
  }

  /** A page of what the reader wants; a cursor alone when it is time to send something. */
  private async nextItems(beatAtMs: number): Promise<readonly TailItem[]> {
    const to = this.position.to ?? (await this.nextEnd(beatAtMs - performance.now()));
    const items = to ? await this.readPage(to) : [];
    if (items.length > 0 || performance.now() < beatAtMs) return items;
    return [{ cursor: encodePosition(this.caller, this.position) }];
  }

  /** Where the next range ends: at the newest tick, once there is a later one. Not at each of them, where they come fast. */
  private async nextEnd(withinMs: number): Promise<Snapshot | undefined> {
    if (this.isUpToDate) await sleep(this.source.paceMs(), undefined, { signal: this.signal });
    const point = await this.source.watch.later(this.position.from, Math.max(0, withinMs), this.signal);
    // Before the first sequencer there is no lineage, and nothing has been read by ticks either.
    if (point && this.position.lineage !== 0n && point.lineage !== this.position.lineage)
      throw new LogChanged();
    return point?.snapshot;
  }

  /** Reads a page of the range that ends at `to`, and moves on behind it. */
  private async readPage(to: Snapshot): Promise<TailItem[]> {
    const { lineage, from, afterSeq } = this.position;
    const events = await this.source.inTurn(() =>
      this.source.tenants.reading(this.caller, (tx) => listTenantSpan(tx, { from, to, afterSeq }, PAGE_MAX)),
    );
    const isLast = events.length < PAGE_MAX;
    const behind = (seq: bigint): TailPosition => ({ lineage, from, to, afterSeq: seq });
    const end: TailPosition = { lineage, from: to, to: null, afterSeq: 0n };
    this.position = isLast ? end : behind(events.at(-1)?.seq ?? afterSeq);
    const last = isLast ? events.at(-1) : undefined;
    const items = events.filter(this.reader.wants).map((event) => {
      const position = event === last ? end : behind(event.seq);
      return { event, cursor: encodePosition(this.caller, position) };
    });
    if (this.isUpToDate) for (const { event } of items) observeLag(event);
    this.isUpToDate = isLast;
    return items;
  }

  private async readmit(): Promise<void> {
    if (this.isReadmitting) return;
    this.isReadmitting = true;
    try {
      const caller = await this.reader.readmit();
      if (!holds(caller, 'events:read')) throw new Forbidden('events:read');
      this.caller = caller;
    } catch (error) {
      this.end(error instanceof DomainError ? error : new StreamsUnavailable());
    } finally {
      this.isReadmitting = false;
    }
  }
}

function observeLag({ occurredAt }: RecordedEvent): void {
  lagSeconds.observe(Math.max(0, (Date.now() - Date.parse(occurredAt)) / 1_000));
}
