import { type Caller, fullJitterMs } from '@holdfast/kernel';
import type { TenantDatabase, TenantTx } from '@holdfast/tenancy';
import { type ConsumerDeclaration, declarationOf, type TenantConsumer } from './consumer';
import { withDeadline } from './deadline';
import { isGroupFault, reasonOf, retryInMs } from './delivery-failures';
import { countDelivered, failuresTotal, quarantinedTotal } from './delivery-metrics';
import {
  delayParkedKey,
  failParkedKey,
  findDueKey,
  listParkedEvents,
  type ParkedEvent,
  type ParkedKey,
  settleParked,
  unparkKey,
} from './parked.sql';
import type { Report } from './report';
import { at } from './steps';
import { lockTenantCursor } from './tenant-cursors.sql';
import { EventTooNew, upcast } from './upcast';

const PAGE_MAX = 200;
/** Parked keys get as much of a wake-up as the log does. */
const SLICE_MS = 100;
const DELIVERY_TIMEOUT_MS = 8_000;

/** What a transaction is about: a key and what stands behind it, as far as it is tried. */
interface Attempt {
  key?: ParkedKey;
  events: readonly ParkedEvent[];
}

/** How many events of which key are tried next. */
interface Pace {
  key: string;
  size: number;
}

/** Delivers what is parked of a tenant and due, key by key, each in order. */
export class ParkedDelivery {
  private readonly declaration: ConsumerDeclaration;

  constructor(
    private readonly consumer: TenantConsumer,
    private readonly tenants: TenantDatabase,
    private readonly report: Report,
  ) {
    this.declaration = declarationOf(consumer);
  }

  /**
   * Delivers parked events for about 100 ms; true where more are due.
   *
   * Each page is a transaction that holds the cursor's lock, in which the effect and the removal of the events commit. A
   * key begins with the event that failed, alone; its pages grow while they succeed, and one that fails is halved at once,
   * so that what stands before a poisoned event gets through. When that event fails alone, the key waits, or is quarantined.
   */
  async deliver(caller: Caller, stopping: AbortSignal): Promise<boolean> {
    const endsAtMs = performance.now() + SLICE_MS;
    const pace = { key: '', size: 1 };
    while (!stopping.aborted) {
      if (!(await this.deliverPage(caller, pace))) return false;
      if (performance.now() > endsAtMs) return true;
    }
    return false;
  }

  /** Delivers a page of the key that has been due for longest; false when there is none, or the group has to wait. */
  private async deliverPage(caller: Caller, pace: Pace): Promise<boolean> {
    const attempt: Attempt = { events: [] };
    const { group } = this.declaration;
    try {
      await this.tenants.transaction(caller, (tx) => this.transact(tx, attempt, pace));
      await at('parked-delivery.committed');
      const { key, events } = attempt;
      if (!key) return false;
      if (key.skipEventId === null) countDelivered(group, events);
      pace.size = Math.min(PAGE_MAX, pace.size * 2);
      return true;
    } catch (error) {
      failuresTotal.inc({ group });
      this.report(error, `delivering what is parked in ${group} for tenant ${caller.tenantId}`);
      await at('parked-delivery.failed');
      pace.size = Math.max(1, attempt.events.length >> 1);
      if (isGroupFault(error) || attempt.events.length <= 1) await this.note(caller, attempt, error);
      return !isGroupFault(error) && attempt.key !== undefined;
    }
  }

  private async transact(tx: TenantTx, attempt: Attempt, pace: Pace): Promise<void> {
    const parkedIn = { tenantId: tx.tenantId, group: this.declaration.group };
    const cursor = await lockTenantCursor(tx, parkedIn.group);
    // What is replayed may come out of the log again, which is seen to where the cursor moves.
    const isOpen = cursor && !cursor.isPaused && cursor.rewindTo === null;
    const key = isOpen ? await findDueKey(tx, parkedIn) : undefined;
    if (key?.key !== pace.key) Object.assign(pace, { key: key?.key ?? '', size: 1 });
    Object.assign(attempt, { key, events: [] });
    if (!key) return;
    await at('parked-delivery.locked');
    attempt.events = await listParkedEvents(tx, parkedIn, key.key, key.skipEventId === null ? pace.size : 1);
    const { events } = attempt;
    // An operator's word is about one event, and does not outlive it.
    if (events[0]?.id !== key.skipEventId)
      await withDeadline(this.consumer.deliver(tx, events.map(upcast)), DELIVERY_TIMEOUT_MS);
    await at('parked-delivery.applied');
    const last = events.at(-1);
    const left = last ? await settleParked(tx, parkedIn, key.key, last.place) : 0n;
    if (left === 0n) await unparkKey(tx, parkedIn, key.key);
    await at('parked-delivery.settled');
  }

  /**
   * Notes why the first event failed, unless another worker is at the key: then that one knows better. What is nobody's
   * fault but the group's delays the key and counts as no attempt, and so does an event that only a later release can read.
   */
  private async note(caller: Caller, { key, events: [first] }: Attempt, failure: unknown): Promise<void> {
    if (!key || !first) return;
    const { group, retry } = this.declaration;
    const failures = key.attempts + 1;
    const waitMs = key.state === 'releasing' ? undefined : retryInMs(retry, failures);
    const error = reasonOf(failure);
    const isDelayed = isGroupFault(failure) || failure instanceof EventTooNew;
    try {
      await this.tenants.transaction(caller, async (tx) => {
        const parkedIn = { tenantId: tx.tenantId, group };
        if (!(await lockTenantCursor(tx, group))) return;
        if (isDelayed)
          return delayParkedKey(
            tx,
            parkedIn,
            key.key,
            fullJitterMs(failures, retry.baseMs, retry.capMs),
            error,
          );
        await failParkedKey(tx, parkedIn, key, { retryInMs: waitMs, error, eventId: first.id });
      });
      if (waitMs === undefined && !isDelayed) quarantinedTotal.inc({ group });
    } catch (lost) {
      // The database is away: the key stays due, and the relay wakes the tenant again.
      this.report(lost, `noting a failure of ${group} for tenant ${caller.tenantId}`);
    }
  }
}
