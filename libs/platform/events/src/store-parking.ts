import type { Database, SystemTx } from '@holdfast/database';
import { Deadline, fullJitterMs } from '@holdfast/kernel';
import { BatchRefused } from './batch-refused';
import { type ConsumerDeclaration, declarationOf, type StoreConsumer } from './consumer';
import { withDeadline } from './deadline';
import { assertRoomFor, reasonOf, retryInMs } from './delivery-failures';
import { countDelivered, failuresTotal, parkedTotal, quarantinedTotal } from './delivery-metrics';
import { keyOf } from './keys';
import {
  appendParked,
  countParked,
  delayParkedKey,
  failParkedKey,
  findDueKeyOfStore,
  findStoreParking,
  isParkedBatch,
  listParkedEvents,
  listParkedInStore,
  type ParkedEvent,
  type ParkedIn,
  type ParkedKey,
  parkKey,
  recordParkedBatch,
  settleParked,
  unparkKey,
} from './parked.sql';
import { type RecordedEvent, tokenOf } from './recorded-event';
import type { Report } from './report';
import { at } from './steps';
import { confirmStoreCursor, lockStoreCursor } from './store-cursors.sql';
import { relaying } from './ticks.sql';

/** An event with its key in the group. Keys of two tenants have nothing to do with each other. */
export interface KeyedEvent {
  readonly key: string;
  readonly event: RecordedEvent;
}

/** A batch of parked events as it was recorded before sending. */
interface ParkedBatch {
  readonly parkedIn: ParkedIn;
  readonly key: ParkedKey;
  readonly events: readonly ParkedEvent[];
  readonly throughPlace: bigint;
}

const DELIVERY_TIMEOUT_MS = 8_000;

/**
 * What one store group has set aside, of all tenants.
 *
 * A batch has to be the same events when it is sent again, so which keys are parked changes only while the cursor is
 * locked, and while no batch is recorded or together with the cursor's move.
 */
export class StoreParking {
  private readonly declaration: ConsumerDeclaration;
  private pace = { tenantId: '', key: '', size: 1 };

  constructor(
    private readonly consumer: StoreConsumer,
    private readonly relay: Database,
    private readonly report: Report,
  ) {
    this.declaration = declarationOf(consumer);
  }

  /** Divides events into those that may be sent and those whose keys are parked. */
  async divide(
    tx: SystemTx,
    events: readonly RecordedEvent[],
  ): Promise<{ readonly ready: readonly RecordedEvent[]; readonly behind: readonly KeyedEvent[] }> {
    const { group } = this.declaration;
    const { isParking } = await findStoreParking(tx, group);
    if (!isParking || events.length === 0) return { ready: events, behind: [] };
    const keyed = events.map((event) => ({ key: keyOf(this.declaration, event), event }));
    const asked = new Map(
      keyed.map(({ key, event: { tenantId } }) => [`${tenantId} ${key}`, { tenantId, key }]),
    );
    const found = await listParkedInStore(tx, group, [...asked.values()]);
    const parked = new Set(found.map(({ tenantId, key }) => `${tenantId} ${key}`));
    const isParked = ({ key, event }: KeyedEvent): boolean => parked.has(`${event.tenantId} ${key}`);
    return {
      ready: keyed.filter((each) => !isParked(each)).map(({ event }) => event),
      behind: keyed.filter(isParked),
    };
  }

  /**
   * Whether a batch of parked events may or may not have reached the store. A store may know again only the batch that it
   * stored last, so that one has to be settled before anything else is sent.
   */
  async isUnsettled(tx: SystemTx): Promise<boolean> {
    return (await findStoreParking(tx, this.declaration.group)).isUnsettled;
  }

  /** Puts events behind what is parked of their keys, in the transaction in which the cursor passes over them. */
  async append(tx: SystemTx, behind: readonly KeyedEvent[]): Promise<void> {
    for (const [tenantId, events] of Map.groupBy(behind, ({ event }) => event.tenantId)) {
      const parkedIn = { tenantId, group: this.declaration.group };
      assertRoomFor(await countParked(tx, parkedIn), events.length);
      await appendParked(
        tx,
        parkedIn,
        events.map(({ key, event: { id } }) => ({ key, id })),
      );
    }
  }

  /** Sets aside the key of an event that the store has refused alone. */
  async park(tx: SystemTx, event: RecordedEvent, refusal: BatchRefused): Promise<void> {
    const { group, retry } = this.declaration;
    const parkedIn = { tenantId: event.tenantId, group };
    const key = keyOf(this.declaration, event);
    const failure = { retryInMs: retryInMs(retry, 1), error: reasonOf(refusal), failedEventId: event.id };
    await parkKey(tx, parkedIn, key, failure);
    await this.append(tx, [{ key, event }]);
    parkedTotal.inc({ group });
  }

  /** Sends a batch of the key that has been due for longest; false when there is none, or it failed. Never throws. */
  async deliver(): Promise<boolean> {
    let batch: ParkedBatch | undefined;
    try {
      const recorded = await this.record();
      if (typeof recorded === 'boolean') return recorded;
      batch = recorded;
      await at('store-parking.recorded');
      const outcome = await this.send(batch);
      await at('store-parking.committed');
      if (outcome === 'stored') countDelivered(this.declaration.group, batch.events);
      return outcome !== undefined;
    } catch (error) {
      failuresTotal.inc({ group: this.declaration.group });
      this.report(error, `delivering what is parked in ${this.declaration.group}`);
      await at('store-parking.failed');
      if (batch) await this.delay(batch, error);
      return false;
    }
  }

  /**
   * Chooses the next batch of a due key and records its end, or finds the one that was recorded. True when something else
   * was to be done for the key and was done, false when nothing is due.
   */
  private record(): Promise<ParkedBatch | boolean> {
    const { group } = this.declaration;
    return relaying(this.relay, async (tx) => {
      if (!(await findStoreParking(tx, group)).isDue) return false;
      const cursor = await lockStoreCursor(tx, group);
      // A batch of the log that was recorded has to go out first, or the same events could not be told again.
      if (!cursor || cursor.isPaused || cursor.throughSeq !== null || cursor.rewindTo !== null) return false;
      const key = await findDueKeyOfStore(tx, group);
      if (!key) return false;
      const parkedIn = { tenantId: key.tenantId, group };
      if (key.tenantId !== this.pace.tenantId || key.key !== this.pace.key)
        this.pace = { tenantId: key.tenantId, key: key.key, size: 1 };
      // A recorded batch is sent whole, whatever its sender's limit is.
      const size = key.throughPlace === null ? this.pace.size : null;
      const events = await listParkedEvents(tx, parkedIn, key.key, size, key.throughPlace);
      const [first, last] = [events[0], events.at(-1)];
      if (!first || !last) {
        await unparkKey(tx, parkedIn, key.key);
        return true;
      }
      // An operator's word is about one event, which was refused and so is in no store.
      if (first.id === key.skipEventId) {
        const left = await settleParked(tx, parkedIn, key.key, first.place);
        if (left === 0n) await unparkKey(tx, parkedIn, key.key);
        return true;
      }
      if (key.throughPlace === null) await recordParkedBatch(tx, parkedIn, key.key, last.place);
      return { parkedIn, key, events, throughPlace: last.place };
    });
  }

  /** Sends the batch while the group's cursor is locked, and removes its events; undefined when another is at it. */
  private send(batch: ParkedBatch): Promise<'stored' | 'refused' | undefined> {
    const { parkedIn, key, events, throughPlace } = batch;
    return relaying(this.relay, async (tx) => {
      const cursor = await lockStoreCursor(tx, parkedIn.group);
      if (!cursor || !(await isParkedBatch(tx, parkedIn, key.key, throughPlace))) return undefined;
      await at('store-parking.locked');
      try {
        const confirm = (): Promise<void> => confirmStoreCursor(tx, parkedIn.group);
        const token = tokenOf(events, cursor.generation);
        const deadline = Deadline.in(DELIVERY_TIMEOUT_MS);
        await withDeadline(this.consumer.deliver(events, token, confirm, deadline), DELIVERY_TIMEOUT_MS);
      } catch (error) {
        if (!(error instanceof BatchRefused)) throw error;
        await this.refuse(tx, batch, error);
        return 'refused';
      }
      await at('store-parking.stored');
      this.pace.size = Math.min(this.consumer.batchMax, this.pace.size * 2);
      const left = await settleParked(tx, parkedIn, key.key, throughPlace);
      // Else the key stays, with nothing behind it, until the batch that is recorded has gone.
      if (left === 0n && cursor.throughSeq === null) await unparkKey(tx, parkedIn, key.key);
      await at('store-parking.settled');
      return 'stored';
    });
  }

  /** The store has told that it took nothing: half of the batch is next, or the one event has failed once more. */
  private async refuse(tx: SystemTx, batch: ParkedBatch, refusal: BatchRefused): Promise<void> {
    const { parkedIn, key, events } = batch;
    const { group, retry } = this.declaration;
    failuresTotal.inc({ group });
    this.report(refusal, `delivering what is parked in ${group}`);
    const [first] = events;
    if (!first) return;
    if (events.length > 1) {
      this.pace.size = events.length >> 1;
      await recordParkedBatch(tx, parkedIn, key.key, events[this.pace.size - 1]?.place ?? first.place);
      return;
    }
    const waitMs = key.state === 'releasing' ? undefined : retryInMs(retry, key.attempts + 1);
    const failure = { retryInMs: waitMs, error: reasonOf(refusal), eventId: first.id };
    await failParkedKey(tx, parkedIn, key, failure);
    if (waitMs === undefined) quarantinedTotal.inc({ group });
  }

  /** It is not known whether the store has the batch, which so stays recorded; the key waits. */
  private async delay({ parkedIn, key }: ParkedBatch, failure: unknown): Promise<void> {
    const { baseMs, capMs } = this.declaration.retry;
    const waitMs = fullJitterMs(key.attempts + 1, baseMs, capMs);
    try {
      await relaying(this.relay, (tx) => delayParkedKey(tx, parkedIn, key.key, waitMs, reasonOf(failure)));
    } catch (error) {
      // The database is away: the key stays due, and the relay wakes the group again.
      this.report(error, `noting a failure of ${parkedIn.group}`);
    }
  }
}
