import { cloudEventOf, type RecordedEvent } from '@holdfast/events';
import type { BrokerMessage } from './broker';

/**
 * An event as a message in the binary mode of CloudEvents' Kafka protocol binding: attributes are headers `ce_…`, the data
 * is the value, `traceparent` is a header of its own as well, where tracing libraries look for it.
 *
 * The topic is the module's, `<prefix>.<first part of the type>`. The key is tenant and stream, so that events of one stream
 * are in one partition and in order.
 */
export function messageOf(event: RecordedEvent, prefix: string): BrokerMessage {
  const { data, datacontenttype, ...attributes } = cloudEventOf(event);
  const headers = Object.entries(attributes).map(([name, value]) => [`ce_${name}`, String(value)] as const);
  return {
    topic: `${prefix}.${event.type.split('.', 1)[0]}`,
    key: `${event.tenantId}/${event.streamType}/${event.streamId}`,
    value: JSON.stringify(data),
    headers: {
      ...Object.fromEntries(headers),
      'content-type': datacontenttype,
      ...(event.traceparent !== null && { traceparent: event.traceparent }),
    },
  };
}
