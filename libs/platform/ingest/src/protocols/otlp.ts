import { hash } from 'node:crypto';
import type { TrackedEvent } from '../tracked-event';
import {
  type Body,
  EVENTS_MAX,
  isObject,
  type JsonObject,
  membersOf,
  objectOf,
  sharedText,
  textOf,
} from './body';
import { readEvents } from './read-events';
import { EventRefused, type Reading, RequestRefused } from './reading';

/** From ERROR on (OpenTelemetry, log data model): few and wanted. */
const SEVERITY_ERROR = 17;
const NANOSECONDS_PER_MS = 1_000_000n;
/** Nanoseconds until the last instant that `Date` has, in digits: longer is none. */
const NANOSECONDS = /^\d{1,22}$/;
/** Values within values; a record may be as deep as an event, and each level of a value is two of JSON. */
const VALUE_DEPTH_MAX = 32;

/** Log records that share what sent them. */
interface Source {
  readonly context: JsonObject;
  /** Begins what the id of a record is made of. */
  readonly text: string;
}

/**
 * Reads an OTLP ExportLogsServiceRequest in JSON. Records have no id, so that one is made of what they say and of how often the request has
 * said it before: the same request brings the same ids, and a retried one is a copy.
 */
export function readOtlpLogs(body: Body, receivedAtMs: number): Reading {
  try {
    return readSources(body, receivedAtMs);
  } catch (err) {
    if (err instanceof EventRefused) throw new RequestRefused(400, 'ingest.invalid', err.message);
    throw err;
  }
}

function readSources(body: Body, receivedAtMs: number): Reading {
  const reading: Reading = { events: [], rejects: [] };
  const seen = new Map<string, number>();
  let count = 0;
  for (const { source, records } of sourcesOf(objectOf(body))) {
    count += records.length;
    if (count > EVENTS_MAX)
      throw new RequestRefused(413, 'ingest.too_many_events', `A request may bring ${EVENTS_MAX} records.`);
    const { events, rejects } = readEvents(body, records, (record) =>
      logOf(record, source, seen, receivedAtMs),
    );
    reading.events.push(...events);
    reading.rejects.push(...rejects);
  }
  return reading;
}

function* sourcesOf(request: JsonObject): Generator<{ source: Source; records: readonly unknown[] }> {
  for (const { resource, scopeLogs } of objectsIn(request['resourceLogs'])) {
    for (const { scope, logRecords } of objectsIn(scopeLogs)) {
      yield { source: sourceOf(resource, scope), records: arrayOf(logRecords) };
    }
  }
}

function sourceOf(resource: unknown, scope: unknown): Source {
  const { name, version, attributes } = membersOf(scope, 'scope');
  const context = {
    resource: attributesOf(membersOf(resource, 'resource')['attributes']),
    scope: { name: textOf(name, 'scope.name'), version: textOf(version, 'scope.version') },
    ...(attributes !== undefined && { scopeAttributes: attributesOf(attributes) }),
  };
  return { context, text: sharedText(context) };
}

function logOf(
  record: JsonObject,
  { context, text }: Source,
  seen: Map<string, number>,
  receivedAtMs: number,
): TrackedEvent {
  const digest = hash('sha256', text + JSON.stringify(record), 'base64url');
  const copies = seen.get(digest) ?? 0;
  seen.set(digest, copies + 1);
  const attributes = attributesOf(record['attributes']);
  const severity = severityOf(record['severityNumber']);
  const madeAtMs = millisecondsOf(record['timeUnixNano']) || millisecondsOf(record['observedTimeUnixNano']);
  return {
    kind: 'log',
    name: textOf(record['eventName'], 'eventName') || textOf(record['severityText'], 'severityText'),
    messageId: copies === 0 ? digest : `${digest}.${copies}`,
    userId: textOf(attributes['user.id'] ?? attributes['enduser.id'], 'user.id'),
    anonymousId: textOf(attributes['session.id'], 'session.id'),
    groupId: '',
    madeAtMs,
    atMs: madeAtMs || receivedAtMs,
    priority: severity >= SEVERITY_ERROR ? 'normal' : 'low',
    properties: {
      body: valueOf(record['body']),
      severity,
      severityText: record['severityText'],
      attributes,
      traceId: record['traceId'],
      spanId: record['spanId'],
    },
    context,
  };
}

/** Protocol Buffers write 64 bits as a string in JSON, and some senders as a number. */
function millisecondsOf(nanoseconds: unknown): number {
  if (nanoseconds === undefined || nanoseconds === null) return 0;
  if (typeof nanoseconds === 'number' && nanoseconds >= 0 && nanoseconds < 1e21)
    return Math.trunc(nanoseconds / Number(NANOSECONDS_PER_MS));
  if (typeof nanoseconds !== 'string' || !NANOSECONDS.test(nanoseconds))
    throw new EventRefused('invalid', 'timeUnixNano has to be a number of nanoseconds.');
  return Number(BigInt(nanoseconds) / NANOSECONDS_PER_MS);
}

function attributesOf(list: unknown, depth = 0): JsonObject {
  return Object.fromEntries(
    objectsIn(list).map(({ key, value }) => {
      if (typeof key !== 'string')
        throw new EventRefused('invalid', 'The key of an attribute has to be a string.');
      return [key, valueOf(value, depth)];
    }),
  );
}

/** A number; enumerations may also be written by name (Protocol Buffers, JSON), which says nothing of how grave it is. */
function severityOf(value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (typeof value !== 'number' && typeof value !== 'string')
    throw new EventRefused('invalid', 'severityNumber has to be a number.');
  return Number(value) || 0;
}

/** An AnyValue as JSON writes it without the names of its types. */
function valueOf(value: unknown, depth = 0): unknown {
  if (!isObject(value)) return null;
  if (depth > VALUE_DEPTH_MAX)
    throw new EventRefused('invalid', `A value may be ${VALUE_DEPTH_MAX} levels deep.`);
  const { arrayValue, kvlistValue } = value;
  if (isObject(arrayValue)) return arrayOf(arrayValue['values']).map((item) => valueOf(item, depth + 1));
  if (isObject(kvlistValue)) return attributesOf(kvlistValue['values'], depth + 1);
  return (
    value['stringValue'] ??
    value['boolValue'] ??
    value['intValue'] ??
    value['doubleValue'] ??
    value['bytesValue'] ??
    null
  );
}

function arrayOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw new EventRefused('invalid', 'What is repeated has to be a list.');
}

/** Empty messages may be left out; what is no object says nothing. */
function objectsIn(value: unknown): readonly JsonObject[] {
  return arrayOf(value).filter(isObject);
}
