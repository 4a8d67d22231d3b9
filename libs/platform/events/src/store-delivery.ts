import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, SystemTx } from '@holdfast/database';
import { type ConsumerDeclaration, declarationOf, type StoreConsumer, wants } from './consumer';
import { withDeadline } from './deadline';
import { countDelivered, failuresTotal } from './delivery-metrics';
import { type RecordedEvent, tokenOf } from './recorded-event';
import type { Report } from './report';
import { at } from './steps';
import {
  confirmStoreCursor,
  findRangeEnd,
  listRange,
  lockStoreCursor,
  markStoreDelivered,
  markStoreFailed,
  type StoreCursor,
  updateStoreCursor,
} from './store-cursors.sql';
import { relaying } from './ticks.sql';

/**
 * The store answered, and stored nothing of the batch: something in it cannot be stored. Never thrown where the outcome is
 * unknown, since the batch is then cut anew, and a store that had taken it would get its events under two tokens.
 */
export class BatchRefused extends Error {
  override readonly name = 'BatchRefused';

  constructor(cause: unknown) {
    super(`the store refused a batch: ${String(cause)}`, { cause });
  }
}

/** A batch as it was recorded before sending. */
interface Batch {
  /** Those of its events that the group wants. */
  readonly events: readonly RecordedEvent[];
  /** Nothing stands behind it in its range. Known of a batch that was just read; a recorded one may have had another limit. */
  readonly endsRange: boolean;
  readonly recorded: Pick<StoreCursor, 'fromTick' | 'afterSeq' | 'throughSeq'> & { readonly toTick: bigint };
}

const BATCHES_PER_WAKE_UP = 100;
const PACE_MS = 50;
/** Under the 10 s after which PostgreSQL ends a transaction that idles, and with it the lock that keeps others from sending. */
const DELIVERY_TIMEOUT_MS = 8_000;

/** Delivers to one store group: one cursor for all tenants, one sender at a time. */
export class StoreDelivery {
  /** Halved by a refusal and doubled by a success, so that what surrounds a refused event gets through in few tries. */
  private batchSize: number;
  private readonly declaration: ConsumerDeclaration;

  constructor(
    private readonly consumer: StoreConsumer,
    private readonly relay: Database,
    private readonly report: Report,
  ) {
    this.declaration = declarationOf(consumer);
    this.batchSize = consumer.batchMax;
  }

  /**
   * Sends what the log holds behind the cursor, up to a bound; what remains lags, and the relay sees it.
   *
   * A batch's range is committed before it is sent and the cursor moves afterwards. Whoever dies between the two leaves the
   * range behind, and the next sender reads the same events out of it. Failures are noted on the cursor, never thrown.
   * Told to stop, it ends after the batch under way.
   */
  async deliver(stopping: AbortSignal = new AbortController().signal): Promise<void> {
    try {
      for (let batches = 0; batches < BATCHES_PER_WAKE_UP && !stopping.aborted; batches += 1) {
        const batch = await this.record();
        if (batch) await at('store-delivery.recorded');
        const outcome = batch && (await this.send(batch));
        if (outcome === undefined) return;
        await at('store-delivery.committed');
        if (outcome === 'stored') countDelivered(this.declaration.group, batch?.events ?? []);
        await sleep(this.consumer.paceMs ?? PACE_MS, undefined, { signal: stopping }).catch(() => {}); // Stopped.
      }
    } catch (error) {
      this.noteFailure(error);
      await at('store-delivery.failed');
      await this.postpone(error);
    }
  }

  /** Chooses the next batch, or finds the one that was chosen; undefined when there is none to send now. */
  private record(): Promise<Batch | undefined> {
    const { group: name } = this.declaration;
    return relaying(this.relay, async (tx) => {
      const cursor = await lockStoreCursor(tx, name);
      if (!cursor || cursor.waiting) return undefined;
      // Twice at most: a range that is done is left, and another begins with at least one event.
      return (await this.recordWithin(tx, cursor)) ?? this.recordWithin(tx, await lockStoreCursor(tx, name));
    });
  }

  /** The next batch of the cursor's range, or of the next range; undefined when the range is done and was left. */
  private async recordWithin(tx: SystemTx, cursor: StoreCursor | undefined): Promise<Batch | undefined> {
    const {
      consumer: { batchMax },
      declaration: { group: name },
    } = this;
    const toTick = cursor?.toTick ?? (cursor && (await findRangeEnd(tx, cursor.fromTick, batchMax)));
    if (!cursor || toTick === undefined) return undefined;
    const { batchSize } = this;
    const events = await listRange(tx, { ...cursor, toTick }, batchSize);
    const last = events.at(-1);
    if (!last) {
      await updateStoreCursor(tx, name, { fromTick: toTick, toTick: null, afterSeq: 0n, throughSeq: null });
      return undefined;
    }
    const recorded = { ...cursor, toTick, throughSeq: last.seq };
    const isFresh = cursor.throughSeq === null;
    if (isFresh) await updateStoreCursor(tx, name, recorded);
    const wanted = events.filter(({ type }) => wants(this.declaration, type));
    return { events: wanted, recorded, endsRange: isFresh && events.length < batchSize };
  }

  /** Sends a batch while its cursor is locked, then moves the cursor; undefined when another worker is at it. */
  private send(batch: Batch): Promise<'stored' | 'refused' | undefined> {
    const {
      consumer: { batchMax },
      declaration: { group: name },
    } = this;
    const { events, recorded, endsRange } = batch;
    return relaying(this.relay, async (tx) => {
      const cursor = await lockStoreCursor(tx, name);
      if (!cursor || !isSame(cursor, recorded)) return undefined;
      await at('store-delivery.locked');
      try {
        if (events.length > 0) await this.handOver(tx, events);
      } catch (error) {
        if (!(error instanceof BatchRefused) || events.length === 1) throw error;
        await this.halve(tx, batch, error);
        return 'refused';
      }
      await at('store-delivery.stored');
      this.batchSize = Math.min(batchMax, this.batchSize * 2);
      await updateStoreCursor(
        tx,
        name,
        endsRange
          ? { fromTick: recorded.toTick, toTick: null, afterSeq: 0n, throughSeq: null }
          : { ...recorded, afterSeq: recorded.throughSeq ?? recorded.afterSeq, throughSeq: null },
      );
      if (cursor.attempts > 0) await markStoreDelivered(tx, name);
      await at('store-delivery.moved');
      return 'stored';
    });
  }

  private handOver(tx: SystemTx, events: readonly RecordedEvent[]): Promise<void> {
    const confirm = (): Promise<void> => confirmStoreCursor(tx, this.declaration.group);
    const delivery = this.consumer.deliver(events, tokenOf(events), confirm);
    return withDeadline(delivery, DELIVERY_TIMEOUT_MS);
  }

  /** Records the batch's first half in its place. It goes out at once: the store answers, so there is nothing to wait for. */
  private async halve(tx: SystemTx, { events, recorded }: Batch, refusal: BatchRefused): Promise<void> {
    this.noteFailure(refusal);
    this.batchSize = Math.floor(events.length / 2);
    const throughSeq = events[this.batchSize - 1]?.seq ?? recorded.throughSeq;
    await updateStoreCursor(tx, this.declaration.group, { ...recorded, throughSeq });
  }

  private noteFailure(error: unknown): void {
    failuresTotal.inc({ group: this.declaration.group });
    this.report(error, `delivering to ${this.declaration.group}`);
  }

  private async postpone(failure: unknown): Promise<void> {
    const reason = String(failure).slice(0, 200);
    try {
      await relaying(this.relay, (tx) => markStoreFailed(tx, this.declaration.group, Math.random(), reason));
    } catch (error) {
      // The database is away: the recorded range stands, and the relay wakes the group again.
      this.report(error, `postponing ${this.declaration.group}`);
    }
  }
}

function isSame(cursor: StoreCursor, recorded: Batch['recorded']): boolean {
  return (
    cursor.fromTick === recorded.fromTick &&
    cursor.toTick === recorded.toTick &&
    cursor.afterSeq === recorded.afterSeq &&
    cursor.throughSeq === recorded.throughSeq
  );
}
