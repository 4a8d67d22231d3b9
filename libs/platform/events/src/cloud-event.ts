import type { RecordedEvent } from './recorded-event';

/** An event in the form of CloudEvents 1.0, as those outside get it. Extension attributes are lower case, as its §3.1 asks. */
export interface CloudEvent {
  readonly specversion: '1.0';
  /** The event's id: the same however often it is delivered. With `source` it is what a receiver deduplicates by. */
  readonly id: string;
  readonly source: string;
  readonly type: string;
  /** The stream, `<type>/<id>`. Events of one stream arrive in the order of `streamversion`. */
  readonly subject: string;
  /** RFC 3339, UTC, to the microsecond. */
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly tenantid: string;
  /** Decimal: contiguous within the stream, from 1. */
  readonly streamversion: string;
  /** Of `data`; `GET /v1/events/types` has the JSON Schema. */
  readonly schemaversion: number;
  readonly actor: string;
  /** The operator who acted for the actor. */
  readonly act?: string;
  readonly correlationid: string;
  readonly causationid?: string;
  readonly traceparent?: string;
  readonly data: unknown;
}

/** The event as a CloudEvent; attributes that it lacks are left out, since CloudEvents knows no null. */
export function cloudEventOf(event: RecordedEvent): CloudEvent {
  const { act, causationId, traceparent } = event;
  return {
    specversion: '1.0',
    id: event.id,
    source: `/tenants/${event.tenantId}`,
    type: event.type,
    subject: `${event.streamType}/${event.streamId}`,
    time: event.occurredAt,
    datacontenttype: 'application/json',
    tenantid: event.tenantId,
    streamversion: event.streamVersion.toString(),
    schemaversion: event.schemaVersion,
    actor: event.actor,
    ...(act !== null && { act }),
    correlationid: event.correlationId,
    ...(causationId !== null && { causationid: causationId }),
    ...(traceparent !== null && { traceparent }),
    data: event.data,
  };
}
