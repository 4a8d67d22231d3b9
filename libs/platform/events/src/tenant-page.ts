import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import { type ConsumerDeclaration, type TenantConsumer, wants } from './consumer';
import { withDeadline } from './deadline';
import { assertRoomFor, GroupTooSlow, reasonOf, retryInMs } from './delivery-failures';
import { parkedTotal } from './delivery-metrics';
import type { FailingKeys } from './failing-keys';
import { inDeliverySpan } from './delivery-span';
import { keyOf } from './keys';
import { appendParked, countParked, listParkedAmong, parkKey, type ParkedIn } from './parked.sql';
import type { RecordedEvent } from './recorded-event';
import { upcast } from './upcast';

/** Under the 10 s after which PostgreSQL ends a transaction that idles. */
const DELIVERY_TIMEOUT_MS = 8_000;
/** Key by key, a page of a group that takes 50 ms an event still ends within its time. */
const BY_KEY_TIMEOUT_MS = 15_000;

const SETTLE = statement('events.settle_delivery', 'select 1');

interface KeyedEvent {
  readonly key: string;
  readonly id: string;
  readonly event: RecordedEvent;
}

/** A page of a tenant's events on its way into one group, within the transaction that moves the cursor. */
export class TenantPage {
  private readonly parkedIn: ParkedIn;

  constructor(
    private readonly tx: TenantTx,
    private readonly consumer: TenantConsumer,
    private readonly declaration: ConsumerDeclaration,
  ) {
    this.parkedIn = { tenantId: tx.tenantId, group: declaration.group };
  }

  /**
   * Delivers what the group wants of the page, and parks what belongs to keys that are parked already or are `failing`.
   * Answers the events that were delivered. Without `failing` they are delivered together, else key by key.
   */
  async take(
    events: readonly RecordedEvent[],
    isParking: boolean,
    failing?: FailingKeys,
  ): Promise<readonly RecordedEvent[]> {
    const wanted = events.filter(({ type }) => wants(this.declaration, type));
    if (!isParking && !failing) {
      await this.deliver(wanted);
      return wanted;
    }
    const keyed = wanted.map((event) => ({ key: keyOf(this.declaration, event), id: event.id, event }));
    const parked = isParking ? await this.parkedAmong(keyed) : new Set<string>();
    const ready = keyed.filter(({ key }) => !parked.has(key) && !failing?.has(key));
    if (failing) await this.deliverByKey(ready, failing);
    else await this.deliver(ready.map(({ event }) => event));
    await this.park(
      keyed.filter(({ key }) => parked.has(key) || failing?.has(key)),
      parked,
      failing,
    );
    return ready.map(({ event }) => event);
  }

  private parkedAmong(events: readonly KeyedEvent[]): Promise<ReadonlySet<string>> {
    return listParkedAmong(this.tx, this.parkedIn, [...new Set(events.map(({ key }) => key))]);
  }

  private async deliver(events: readonly RecordedEvent[]): Promise<void> {
    if (events.length === 0) return;
    await inDeliverySpan(this.declaration.group, events, () =>
      withDeadline(this.consumer.deliver(this.tx, events.map(upcast)), DELIVERY_TIMEOUT_MS),
    );
  }

  private async deliverByKey(events: readonly KeyedEvent[], failing: FailingKeys): Promise<void> {
    const givenUpAtMs = performance.now() + BY_KEY_TIMEOUT_MS;
    const byKey = Map.groupBy(events, ({ key }) => key);
    for (const [key, ofKey] of byKey) {
      if (performance.now() > givenUpAtMs) throw new GroupTooSlow(`not done after ${BY_KEY_TIMEOUT_MS} ms`);
      failing.suspects(key);
      await this.deliver(ofKey.map(({ event }) => event));
      // A statement that the consumer did not wait for has failed by now, or has not failed.
      await this.tx.rows(SETTLE);
      // What fails at the commit can be told of one key only.
      failing.suspects(byKey.size === 1 ? key : undefined);
    }
  }

  private async park(
    events: readonly KeyedEvent[],
    parked: ReadonlySet<string>,
    failing: FailingKeys | undefined,
  ): Promise<void> {
    if (events.length === 0) return;
    const { tx, parkedIn, declaration } = this;
    assertRoomFor(await countParked(tx, parkedIn), events.length);
    for (const [key, [first, second]] of Map.groupBy(events, (event) => event.key)) {
      if (parked.has(key)) continue;
      await parkKey(tx, parkedIn, key, {
        retryInMs: retryInMs(declaration.retry, 1),
        error: reasonOf(failing?.reasonFor(key)),
        failedEventId: second ? undefined : first?.id,
      });
      parkedTotal.inc({ group: declaration.group });
    }
    await appendParked(tx, parkedIn, events);
  }
}
