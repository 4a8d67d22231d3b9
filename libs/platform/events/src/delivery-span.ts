import { inSpan } from '@holdfast/observability';
import type { RecordedEvent } from './recorded-event';

/** Ids of one delivery that its span names: enough to find it by any of them while little goes on. */
const NAMED_MAX = 20;

/** Delivers within a span of the trace that the first event belongs to, linked with those of the others. */
export function inDeliverySpan<T>(
  group: string,
  events: readonly RecordedEvent[],
  deliver: () => Promise<T>,
): Promise<T> {
  const [first, ...linked] = events.flatMap(({ traceparent }) => traceparent ?? []);
  const attributes = {
    'messaging.operation.type': 'process',
    'messaging.consumer.group.name': group,
    'messaging.batch.message_count': events.length,
    'holdfast.event_ids': events.slice(0, NAMED_MAX).map(({ id }) => id),
  };
  return inSpan(`deliver ${group}`, attributes, deliver, { traceparent: first, linked });
}
