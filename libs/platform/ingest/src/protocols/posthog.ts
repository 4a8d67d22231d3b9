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

/** Where the key stands: PostHog's SDKs send no header. */
export function posthogKeyOf(body: Body): unknown {
  const request = objectOf(body);
  const { api_key: key, token, properties } = request;
  return key ?? token ?? (isObject(properties) ? properties['token'] : undefined);
}

/** Reads what PostHog's SDKs send: a batch, or an event by itself. */
export function readPosthog(body: Body, receivedAtMs: number): Reading {
  const request = objectOf(body);
  const events = request['event'] === undefined ? listOf(request['batch'], 'batch') : [request];
  return readEvents(body, events, (event) => posthogEvent(event, request, receivedAtMs));
}

function posthogEvent(event: JsonObject, request: JsonObject, receivedAtMs: number): TrackedEvent {
  const name = textOf(event['event'], 'event');
  if (name === '') throw new EventRefused('invalid', 'An event needs a name, in event.');
  const properties = membersOf(event['properties'], 'properties');
  const distinctId = textOf(event['distinct_id'] ?? properties['distinct_id'], 'distinct_id');
  if (distinctId === '') throw new EventRefused('invalid', 'An event needs a distinct_id.');
  const madeAtMs = instantOf(event['timestamp'], 'timestamp');
  const sentAtMs = instantOf(request['sent_at'], 'sent_at');
  return {
    kind: Object.hasOwn(KINDS, name) ? (KINDS[name] ?? 'track') : 'track',
    name,
    messageId: textOf(event['uuid'] ?? event['messageId'], 'uuid') || randomUUID(),
    ...personOf(name, distinctId, properties),
    groupId: textOf(properties['$group_key'] ?? firstOf(properties['$groups']), 'The group'),
    madeAtMs,
    atMs: madeAtMs === 0 ? receivedAtMs : madeAtMs + clockSkewMs(sentAtMs, receivedAtMs),
    priority: priorityOf(name),
    properties: event['$set'] === undefined ? properties : { ...properties, $set: event['$set'] },
    context: {},
  };
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
