import { randomUUID } from 'node:crypto';
import type { Priority, TrackedEvent, TrackedKind } from '../tracked-event';
import { type Body, instantOf, isObject, type JsonObject, listOf, membersOf, objectOf, textOf } from './body';
import { clockSkewMs } from './clock-skew';
import { readEvents } from './read-events';
import { EventRefused, type Reading } from './reading';

/** Events that PostHog's SDKs name themselves and that are calls of their own. All others are tracked under their name. */
const KINDS: Readonly<Record<string, TrackedKind>> = {
  $identify: 'identify',
  $set: 'identify',
  $create_alias: 'alias',
  $groupidentify: 'group',
  $pageview: 'page',
  $screen: 'screen',
};

/** What its SDKs send by themselves, in masses. */
const LOW = new Set(['$pageview', '$pageleave', '$screen', '$autocapture', '$feature_flag_called']);

/** Where the key stands: PostHog's SDKs send no header. Of a bare list of events it is the first one's. */
export function posthogKeyOf(body: Body): unknown {
  const request = requestIn(body);
  const { batch } = request;
  return keyIn(request) ?? (Array.isArray(batch) ? keyIn(batch[0]) : undefined);
}

/** Reads what PostHog's SDKs send: a batch, an event by itself, or a bare list of events. */
export function readPosthog(body: Body, receivedAtMs: number): Reading {
  const request = requestIn(body);
  const events = request['event'] === undefined ? listOf(request['batch'], 'batch') : [request];
  return readEvents(body, events, (event) => posthogEvent(event, request, receivedAtMs));
}

function requestIn(body: Body): JsonObject {
  return Array.isArray(body.value) ? { batch: body.value as unknown } : objectOf(body);
}

function keyIn(value: unknown): unknown {
  if (!isObject(value)) return undefined;
  const { api_key: key, token, properties } = value;
  return key ?? token ?? (isObject(properties) ? properties['token'] : undefined);
}

function posthogEvent(event: JsonObject, request: JsonObject, receivedAtMs: number): TrackedEvent {
  const name = textOf(event['event'], 'event');
  if (name === '') throw new EventRefused('invalid', 'An event needs a name, in event.');
  const properties = membersOf(event['properties'], 'properties');
  const distinctId = textOf(event['distinct_id'] ?? properties['distinct_id'], 'distinct_id');
  if (distinctId === '') throw new EventRefused('invalid', 'An event needs a distinct_id.');
  return {
    kind: Object.hasOwn(KINDS, name) ? (KINDS[name] ?? 'track') : 'track',
    name,
    messageId: textOf(event['uuid'] ?? event['messageId'], 'uuid') || randomUUID(),
    ...personOf(name, distinctId, properties),
    groupId: textOf(properties['$group_key'] ?? firstOf(properties['$groups']), 'The group'),
    ...timesOf(event, request, receivedAtMs),
    priority: priorityOf(name),
    properties: event['$set'] === undefined ? properties : { ...properties, $set: event['$set'] },
    context: {},
  };
}

/**
 * When it was made, by the sender's clock, and when it happened, by ours. posthog-js says of an event that waited in a batch only how long it
 * did (`offset`), counted once though it may be sent again much later; its id (UUIDv7) says when it was captured, the same in every attempt.
 */
function timesOf(
  event: JsonObject,
  request: JsonObject,
  receivedAtMs: number,
): Pick<TrackedEvent, 'madeAtMs' | 'atMs'> {
  const sentAtMs = instantOf(event['sent_at'] ?? request['sent_at'], 'sent_at');
  const statedAtMs = instantOf(event['timestamp'], 'timestamp');
  const madeAtMs = statedAtMs === 0 ? capturedAtMs(event['uuid']) : statedAtMs;
  const { properties, offset } = event;
  // Who captures it for another time says so: then only the offset tells of that one.
  const isOffsetMeant = isObject(properties) && properties['$event_time_override_provided'] === true;
  if (madeAtMs !== 0 && (statedAtMs !== 0 || !isOffsetMeant))
    return { madeAtMs, atMs: madeAtMs + clockSkewMs(sentAtMs, receivedAtMs) };
  return {
    madeAtMs,
    atMs: receivedAtMs - (typeof offset === 'number' ? Math.max(0, Math.trunc(offset)) : 0),
  };
}

const UUID_V7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/i;

/** The instant in a UUIDv7 (RFC 9562, section 5.7); 0 of any other id. */
function capturedAtMs(uuid: unknown): number {
  if (typeof uuid !== 'string' || !UUID_V7.test(uuid)) return 0;
  return Number.parseInt(`${uuid.slice(0, 8)}${uuid.slice(9, 13)}`, 16);
}

/** Events without a profile of a person are of somebody whom the sender does not know. */
function personOf(
  name: string,
  distinctId: string,
  properties: JsonObject,
): Pick<TrackedEvent, 'userId' | 'anonymousId'> {
  if (properties['$process_person_profile'] === false) return { userId: '', anonymousId: distinctId };
  const before = name === '$create_alias' ? properties['alias'] : properties['$anon_distinct_id'];
  return { userId: distinctId, anonymousId: textOf(before, 'The id from before') };
}

/** The first of the groups that an event belongs to; a row has one, and all stand in the properties. */
function firstOf(groups: unknown): unknown {
  return isObject(groups) ? Object.values(groups)[0] : undefined;
}

function priorityOf(name: string): Priority {
  if (LOW.has(name)) return 'low';
  return Object.hasOwn(KINDS, name) ? 'high' : 'normal';
}
