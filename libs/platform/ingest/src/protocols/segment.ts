import { randomUUID } from 'node:crypto';
import type { Priority, TrackedEvent, TrackedKind } from '../tracked-event';
import {
  type Body,
  instantOf,
  isObject,
  type JsonObject,
  listOf,
  memberOf,
  membersOf,
  objectOf,
  sharedText,
  textOf,
} from './body';
import { clockSkewMs } from './clock-skew';
import { readEvents } from './read-events';
import { EventRefused, type Reading } from './reading';

/** The calls of Segment's specification that have a route of their own. */
export const SEGMENT_CALLS = ['track', 'identify', 'page', 'screen', 'group', 'alias'] as const;

/** One of them. */
export type SegmentCall = (typeof SEGMENT_CALLS)[number];

const PRIORITIES: Readonly<Record<SegmentCall, Priority>> = {
  identify: 'high',
  group: 'high',
  alias: 'high',
  track: 'normal',
  page: 'low',
  screen: 'low',
};

/** Where a key that stands in the body does: what cannot set a header, like a beacon, writes it there. */
export function segmentKeyOf(body: Body): unknown {
  return objectOf(body)['writeKey'];
}

/**
 * Reads a call of Segment's HTTP API, from Segment's SDKs and RudderStack's. `call` is the route's; a batch's events say each what
 * they are. An event without an id gets one, so that each copy of it counts.
 */
export function readSegment(body: Body, call: SegmentCall | 'batch', receivedAtMs: number): Reading {
  const request = objectOf(body);
  if (call !== 'batch')
    return readEvents(body, [request], (event) => segmentEvent(event, call, request, receivedAtMs));
  if (isObject(request['context'])) sharedText(request['context']);
  return readEvents(body, listOf(request['batch'], 'batch'), (event) =>
    segmentEvent(event, callOf(event['type']), request, receivedAtMs),
  );
}

function segmentEvent(
  event: JsonObject,
  kind: SegmentCall,
  request: JsonObject,
  receivedAtMs: number,
): TrackedEvent {
  const madeAtMs = instantOf(event['originalTimestamp'] ?? event['timestamp'], 'timestamp');
  const sentAtMs = instantOf(request['sentAt'] ?? event['sentAt'], 'sentAt');
  const context = membersOf(event['context'] ?? request['context'], 'context');
  const tracked: TrackedEvent = {
    kind,
    name: textOf(event[kind === 'track' ? 'event' : 'name'], 'The name'),
    messageId: textOf(event['messageId'], 'messageId') || randomUUID(),
    userId: textOf(event['userId'], 'userId'),
    anonymousId: textOf(event['anonymousId'], 'anonymousId'),
    groupId: textOf(event['groupId'] ?? memberOf(context, 'groupId'), 'groupId'),
    madeAtMs,
    atMs: madeAtMs === 0 ? receivedAtMs : madeAtMs + clockSkewMs(sentAtMs, receivedAtMs),
    priority: PRIORITIES[kind],
    properties: propertiesOf(event, kind),
    context,
  };
  return complete(tracked, event);
}

function propertiesOf(event: JsonObject, kind: TrackedKind): object {
  if (kind === 'alias') return { previousId: textOf(event['previousId'], 'previousId') };
  return kind === 'identify' || kind === 'group'
    ? membersOf(event['traits'], 'traits')
    : membersOf(event['properties'], 'properties');
}

/** As the specification has it: an event says whose it is, and what its call is about. */
function complete(tracked: TrackedEvent, event: JsonObject): TrackedEvent {
  if (tracked.kind === 'track' && tracked.name === '')
    throw new EventRefused('invalid', 'A track call needs the name of its event.');
  if (tracked.kind === 'group' && tracked.groupId === '')
    throw new EventRefused('invalid', 'A group call needs a groupId.');
  if (tracked.kind === 'alias' && textOf(event['previousId'], 'previousId') === '')
    throw new EventRefused('invalid', 'An alias call needs a previousId.');
  if (tracked.userId === '' && tracked.anonymousId === '')
    throw new EventRefused('invalid', 'An event needs a userId or an anonymousId.');
  return tracked;
}

function callOf(type: unknown): SegmentCall {
  const call = SEGMENT_CALLS.find((known) => known === type);
  if (!call) throw new EventRefused('invalid', 'The type of an event has to be one of the calls.');
  return call;
}
