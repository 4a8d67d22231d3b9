import { Consumer, type RecordedEvent, type TenantConsumer } from '@holdfast/events';
import type { TenantTx } from '@holdfast/tenancy';
import { addUsageCounts, clearUsageCounts, type UsageCount } from './usage.sql';

/**
 * Counts a tenant's events by day and type. A count cannot tell whether it has seen an event; that each is counted once
 * rests on the cursor, which moves in the same transaction.
 */
@Consumer({
  group: 'usage',
  kind: 'tenant',
  events: 'all',
  key: 'stream',
  from: 'beginning',
  replay: 'reset',
})
export class UsageConsumer implements TenantConsumer {
  deliver(tx: TenantTx, events: readonly RecordedEvent[]): Promise<void> {
    return addUsageCounts(tx, countByDayAndType(events));
  }

  reset(tx: TenantTx): Promise<void> {
    return clearUsageCounts(tx);
  }
}

/** The counts of a page, by day in UTC and type. */
export function countByDayAndType(events: readonly RecordedEvent[]): UsageCount[] {
  const groups = Map.groupBy(events, (event) => `${dayOf(event)} ${event.type}`);
  return [...groups.values()].flatMap(([first, ...rest]) =>
    first ? [{ usedOn: dayOf(first), eventType: first.type, eventCount: rest.length + 1 }] : [],
  );
}

function dayOf({ occurredAt }: RecordedEvent): string {
  return occurredAt.slice(0, 'YYYY-MM-DD'.length);
}
