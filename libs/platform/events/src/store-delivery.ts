import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, SystemTx } from '@holdfast/database';
import { Deadline } from '@holdfast/kernel';
import { BatchRefused } from './batch-refused';
import { type ConsumerDeclaration, declarationOf, type StoreConsumer, wants } from './consumer';
import { withDeadline } from './deadline';
import { isTickGone, reasonOf } from './delivery-failures';
import { inDeliverySpan } from './delivery-span';
import { countDelivered, failuresTotal } from './delivery-metrics';
import { type RecordedEvent, tokenOf } from './recorded-event';
import type { Report } from './report';
import { rewindStore } from './rewind';
import { at } from './steps';
import {
  askStoreToRewind,
  confirmStoreCursor,
  findRangeEnd,
  listRange,
  lockStoreCursor,
  markStoreDelivered,
  markStoreFailed,
  type StoreCursor,
  updateStoreCursor,
} from './store-cursors.sql';
import { type KeyedEvent, StoreParking } from './store-parking';
import { relaying } from './ticks.sql';

/** A batch as it was recorded before sending. */
interface Batch {
  /** Those of its events that the group wants and that are not parked. */
  readonly events: readonly RecordedEvent[];
  /** Those that have to wait behind what is parked of their keys. */
  readonly behind: readonly KeyedEvent[];
  /** Nothing stands behind it in its range. Known of a batch that was just read; a recorded one may have had another limit. */
  readonly endsRange: boolean;
  readonly recorded: Pick<StoreCursor, 'fromTick' | 'afterSeq' | 'throughSeq'> & { readonly toTick: bigint };
}

const BATCHES_PER_WAKE_UP = 100;
const PACE_MS = 50;
/** Under the 10 s after which PostgreSQL ends a transaction that idles, and with it the lock that keeps others from sending. */
const DELIVERY_TIMEOUT_MS = 8_000;
/** Events that a store may refuse one after the other, and take none between, before the store is taken to be at fault. */
const REFUSED_MAX = 10;

/** Delivers to one store group: one cursor for all tenants, one sender at a time. */
export class StoreDelivery {
  /** Halved by a refusal and doubled by a success, so that what surrounds a refused event gets through in few tries. */
  private batchSize: number;
  private refusedInRow = 0;
  private readonly declaration: ConsumerDeclaration;
  private readonly parking: StoreParking;

  constructor(
    private readonly consumer: StoreConsumer,
    private readonly relay: Database,
    private readonly report: Report,
  ) {
    this.declaration = declarationOf(consumer);
    this.parking = new StoreParking(consumer, relay, report);
    this.batchSize = consumer.batchMax;
  }

  /**
   * Sends what the log holds behind the cursor, and what is parked and due, up to a bound; true where that was not all.
   *
   * A batch's range is committed before it is sent and the cursor moves afterwards. Whoever dies between the two leaves the
   * range behind, and the next sender reads the same events out of it: what is parked changes only while no batch is
   * recorded, or with the cursor. Failures are noted on the key or the cursor, never thrown. Told to stop, it ends after
   * the batch under way.
   */
  async deliver(stopping: AbortSignal = new AbortController().signal): Promise<boolean> {
    try {
      for (let batches = 0; batches < BATCHES_PER_WAKE_UP && !stopping.aborted; batches += 1) {
        const isDrained = await this.parking.deliver();
        const batch = await this.record();
        if (batch) await at('store-delivery.recorded');
        const outcome = batch && (await this.send(batch));
        if (outcome === undefined && !isDrained) return false;
        await at('store-delivery.committed');
        if (outcome === 'stored') countDelivered(this.declaration.group, batch?.events ?? []);
        await sleep(this.consumer.paceMs ?? PACE_MS, undefined, { signal: stopping }).catch(() => {}); // Stopped.
      }
      return !stopping.aborted;
    } catch (error) {
      this.noteFailure(error);
      await at('store-delivery.failed');
      if (isTickGone(error) && this.declaration.replay !== 'never') await this.rewind();
      else await this.postpone(error);
      return false;
    }
  }

  /** Chooses the next batch, or finds the one that was chosen; undefined when there is none to send now. */
  private record(): Promise<Batch | undefined> {
    const { group } = this.declaration;
    return relaying(this.relay, async (tx) => {
      const cursor = await lockStoreCursor(tx, group);
      if (!cursor || cursor.isPaused) return undefined;
      const isRewound = cursor.rewindTo !== null;
      if (isRewound) await rewindStore(tx, this.declaration, cursor);
      else if (cursor.isWaiting) return undefined;
      const isRecorded = cursor.throughSeq !== null && !isRewound;
      if (!isRecorded && (await this.parking.isUnsettled(tx))) return undefined;
      const first = isRewound ? undefined : await this.recordWithin(tx, cursor);
      // Twice at most: a range that is done is left, and another begins with at least one event.
      return first ?? this.recordWithin(tx, await lockStoreCursor(tx, group));
    });
  }

  /** The next batch of the cursor's range, or of the next range; undefined when the range is done and was left. */
  private async recordWithin(tx: SystemTx, cursor: StoreCursor | undefined): Promise<Batch | undefined> {
    const { group } = this.declaration;
    const toTick =
      cursor?.toTick ?? (cursor && (await findRangeEnd(tx, cursor.fromTick, this.consumer.batchMax)));
    if (!cursor || toTick === undefined) return undefined;
    const { batchSize } = this;
    const events = await listRange(tx, { ...cursor, toTick }, batchSize);
    const last = events.at(-1);
    if (!last) {
      await updateStoreCursor(tx, group, { fromTick: toTick, toTick: null, afterSeq: 0n, throughSeq: null });
      return undefined;
    }
    const recorded = { ...cursor, toTick, throughSeq: last.seq };
    const isFresh = cursor.throughSeq === null;
    if (isFresh) await updateStoreCursor(tx, group, recorded);
    const wanted = events.filter(({ type }) => wants(this.declaration, type));
    const { ready, behind } = await this.parking.divide(tx, wanted);
    return { events: ready, behind, recorded, endsRange: isFresh && events.length < batchSize };
  }

  /** Sends a batch while its cursor is locked, then moves the cursor; undefined when another worker is at it. */
  private send(batch: Batch): Promise<'stored' | 'refused' | undefined> {
    const { group } = this.declaration;
    const { recorded, endsRange, behind } = batch;
    return relaying(this.relay, async (tx) => {
      const cursor = await lockStoreCursor(tx, group);
      if (!cursor || !isSame(cursor, recorded)) return undefined;
      await at('store-delivery.locked');
      const outcome = await this.hand(tx, batch, cursor.generation);
      await at('store-delivery.stored');
      if (outcome === 'halved') return 'refused';
      if (behind.length > 0) await this.parking.append(tx, behind);
      const within = { ...recorded, afterSeq: recorded.throughSeq ?? recorded.afterSeq, throughSeq: null };
      const beyond = { fromTick: recorded.toTick, toTick: null, afterSeq: 0n, throughSeq: null };
      await updateStoreCursor(tx, group, endsRange ? beyond : within);
      await at('store-delivery.moved');
      if (cursor.attempts > 0) await markStoreDelivered(tx, group);
      return outcome;
    });
  }

  /**
   * Hands the batch to the store. One that is refused is halved, in this transaction; an event that is refused alone is
   * parked, and the cursor may pass over it. Throws where the outcome is unknown, and where nothing is taken any more.
   */
  private async hand(
    tx: SystemTx,
    batch: Batch,
    generation: number,
  ): Promise<'stored' | 'refused' | 'halved'> {
    const { events } = batch;
    const [event] = events;
    if (!event) return 'stored';
    try {
      const confirm = (): Promise<void> => confirmStoreCursor(tx, this.declaration.group);
      const token = tokenOf(events, generation);
      const deadline = Deadline.in(DELIVERY_TIMEOUT_MS);
      await inDeliverySpan(this.declaration.group, events, () =>
        withDeadline(this.consumer.deliver(events, token, confirm, deadline), DELIVERY_TIMEOUT_MS),
      );
    } catch (error) {
      if (!(error instanceof BatchRefused)) throw error;
      if (events.length > 1) {
        await this.halve(tx, batch, error);
        return 'halved';
      }
      this.refusedInRow += 1;
      if (this.refusedInRow > REFUSED_MAX) throw error;
      this.noteFailure(error);
      await this.parking.park(tx, event, error);
      return 'refused';
    }
    this.refusedInRow = 0;
    this.batchSize = Math.min(this.consumer.batchMax, this.batchSize * 2);
    return 'stored';
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

  /** A replay can name a tick that is thinned at the same moment; the one before it does as well. */
  private async rewind(): Promise<void> {
    const { group } = this.declaration;
    try {
      await relaying(this.relay, (tx) => askStoreToRewind(tx, group));
    } catch (error) {
      // The database is away: the next delivery finds the same.
      this.report(error, `rewinding ${group}`);
    }
  }

  private async postpone(failure: unknown): Promise<void> {
    const { group, retry } = this.declaration;
    const postponement = { ...retry, share: Math.random(), error: reasonOf(failure) };
    try {
      await relaying(this.relay, (tx) => markStoreFailed(tx, group, postponement));
    } catch (error) {
      // The database is away: the recorded range stands, and the relay wakes the group again.
      this.report(error, `postponing ${group}`);
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
