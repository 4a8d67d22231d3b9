import { isAscii, isUtf8 } from 'node:buffer';
import { gunzipSync } from 'node:zlib';
import { jsonOfForm } from './form';
import { KnownMembers, RawObject, readKnownMembers } from './known-members';
import { EventRefused, RequestRefused } from './reading';

/** A request's body, decompressed: what Segment takes of a batch. */
export const BODY_BYTES_MAX = 500 * 1024;
/** One event: what Segment takes of one. */
export const EVENT_BYTES_MAX = 32 * 1024;
/** Events of a request; at 500 KB more than that say nothing. */
export const EVENTS_MAX = 2_000;
/** Objects and arrays within each other. What writes and reads JSON by recursion, here or in a store, ends long after that. */
export const DEPTH_MAX = 64;

/** Names and ids: ClickHouse sorts by them, and nobody reads longer ones. */
const TEXT_LENGTH_MAX = 200;
/** What the events of a request share is in the row of each: a request of 500 KB could otherwise become a gigabyte. */
const SHARED_LENGTH_MAX = 8 * 1024;
/** Levels of a request around its events. */
const ENVELOPE_DEPTH = 8;
const SAMPLE_LENGTH_MAX = 1_000;
/** The only spellings of a NUL or half of a surrogate pair in JSON that is well-formed UTF-8. */
const BAD_ESCAPE = /\\u(?:0000|d[89a-f])/i;

/** A JSON object, of which nothing is known. Members of its own only are read, whatever it is called. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A body, and whether its events have to be measured one by one. */
export interface Body {
  /** What JSON says; of a call of Segment's perhaps only what is known of it. */
  readonly value: unknown;
  /** No event of it can be larger than an event may be. */
  readonly isSmall: boolean;
}

/**
 * Reads a body by its first bytes: gzip, a form or JSON. Headers are not asked, since RudderStack's SDK labels gzip as a form and beacons
 * label JSON as text. Bounded before anything is made of it: a gzip bomb is given up at `BODY_BYTES_MAX`.
 *
 * `isSegment`: nothing but what Segment's calls are made of will be asked of it.
 */
export function readBody(bytes: Buffer, isSegment = false): Body {
  const plain = jsonOfForm(bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzip(bytes) : bytes);
  if (plain.length > BODY_BYTES_MAX) throw tooLarge();
  const ascii = isAscii(plain);
  if (!ascii && !isUtf8(plain)) throw new RequestRefused(400, 'ingest.not_utf8', 'The body is not UTF-8.');
  const text = ascii ? plain.toString('latin1') : textIn(plain);
  const isSmall = plain.length <= EVENT_BYTES_MAX;
  const known = isSegment
    ? readKnownMembers(text, ascii ? plain : unitsOf(text), EVENT_BYTES_MAX)
    : undefined;
  if (known) return { value: known, isSmall };
  const value = parse(text);
  return { value: text.includes('\\u') && BAD_ESCAPE.test(text) ? wellFormed(value) : value, isSmall };
}

/** `toString` keeps a byte order mark, which is not JSON. */
function textIn(bytes: Buffer): string {
  return bytes[0] === 0xef && bytes[1] === 0xbb ? bytes.toString('utf8', 3) : bytes.toString('utf8');
}

function unitsOf(text: string): Uint16Array {
  const { buffer, byteOffset } = Buffer.from(text, 'utf16le');
  return new Uint16Array(buffer, byteOffset, text.length);
}

function gunzip(bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: BODY_BYTES_MAX });
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw new RequestRefused(400, 'ingest.not_gzip', 'The body begins like gzip and is none.');
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestRefused(400, 'ingest.not_json', 'The body is neither JSON nor JSON under gzip.');
  }
}

/** What is answered to a body that is over the limit. */
export function tooLarge(): RequestRefused {
  return new RequestRefused(
    413,
    'ingest.too_large',
    `A body may have ${BODY_BYTES_MAX} bytes, decompressed.`,
  );
}

/** The same without NUL, which PostgreSQL cannot keep, and without halves of surrogate pairs, which no UTF-8 can. */
function wellFormed(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return value.replaceAll('\0', '\uFFFD').toWellFormed();
  if (typeof value !== 'object' || value === null) return value;
  if (depth > DEPTH_MAX + ENVELOPE_DEPTH) throw tooDeep();
  if (Array.isArray(value)) return value.map((item) => wellFormed(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [wellFormed(name), wellFormed(member, depth + 1)]),
  );
}

function tooDeep(): RequestRefused {
  return new RequestRefused(400, 'ingest.too_deep', `JSON may be ${DEPTH_MAX} levels deep.`);
}

/** The body as an object; anything else is none that a protocol knows. */
export function objectOf({ value }: Body): JsonObject {
  if (isObject(value)) return value;
  throw new RequestRefused(400, 'ingest.not_an_object', 'The body is JSON, but not an object.');
}

/** The list of events under a name. */
export function listOf(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value))
    throw new RequestRefused(400, 'ingest.no_events', `The body has no list ${name}.`);
  if (value.length > EVENTS_MAX)
    throw new RequestRefused(413, 'ingest.too_many_events', `A request may bring ${EVENTS_MAX} events.`);
  return value;
}

/** Whether it is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Refuses an event that is no object, is nested deeper than it may be, or is larger. */
export function checkEvent(event: unknown, isSmall: boolean): asserts event is JsonObject {
  // Its reader keeps to the limits itself.
  if (event instanceof KnownMembers) return;
  if (!isObject(event)) throw new EventRefused('invalid', 'An event has to be an object.');
  if (isDeeper(event, DEPTH_MAX))
    throw new EventRefused('invalid', `An event may be ${DEPTH_MAX} levels deep.`);
  if (!isSmall && Buffer.byteLength(JSON.stringify(event)) > EVENT_BYTES_MAX)
    throw new EventRefused('oversized', `An event may have ${EVENT_BYTES_MAX} bytes.`);
}

function isDeeper(value: object, levels: number): boolean {
  if (levels === 0) return true;
  for (const name in value) {
    const member: unknown = (value as JsonObject)[name];
    if (typeof member === 'object' && member !== null && isDeeper(member, levels - 1)) return true;
  }
  return false;
}

/** A name or an id: a string, a number as people write it, or nothing. Neither objects nor novels. */
export function textOf(value: unknown, name: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string') throw new EventRefused('invalid', `${name} has to be a string.`);
  if (value.length > TEXT_LENGTH_MAX)
    throw new EventRefused('oversized', `${name} may have ${TEXT_LENGTH_MAX} characters.`);
  return value;
}

/** Members as they were sent; what is absent has none. */
export function membersOf(value: unknown, name: string): JsonObject {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw new EventRefused('invalid', `${name} has to be an object.`);
  return value;
}

/** A member of an object that may not have been read so far. */
export function memberOf(members: JsonObject, name: string): unknown {
  if (!(members instanceof RawObject)) return members[name];
  // A name that no escape can spell stands in the text, or is not there.
  return members.text.includes(`"${name}"`) ? (members.toJSON() as JsonObject)[name] : undefined;
}

/** What the events of a request share, as JSON. */
export function sharedText(context: JsonObject): string {
  if (isDeeper(context, DEPTH_MAX)) throw tooDeep();
  const text = JSON.stringify(context);
  if (text.length <= SHARED_LENGTH_MAX) return text;
  const limit = `What events share may have ${SHARED_LENGTH_MAX} characters.`;
  throw new RequestRefused(413, 'ingest.too_large', limit);
}

/** An instant as SDKs write it, ISO 8601 or milliseconds of the epoch: 0 where there is none. */
export function instantOf(value: unknown, name: string): number {
  if (value === undefined || value === null || value === '') return 0;
  const ms = typeof value === 'string' ? parsed(value) : typeof value === 'number' ? value : NaN;
  if (!(Math.abs(ms) <= LAST_INSTANT_MS)) throw new EventRefused('invalid', `${name} has to be an instant.`);
  return Math.trunc(ms);
}

const MINUTE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:$/;
const MINUTE_LENGTH = 17;
const ISO_LENGTH = 24;
/** The minute that was asked for last. */
let minute = { text: ' '.repeat(MINUTE_LENGTH), startsAtMs: 0 };

/** What `Date.parse` says, in a third of the time where it is of the minute that was asked for last, as most that arrive are. */
function parsed(text: string): number {
  const intoMs = text.length === ISO_LENGTH ? intoMinuteMs(text) : undefined;
  if (intoMs === undefined) return Date.parse(text);
  if (text.startsWith(minute.text)) return minute.startsAtMs + intoMs;
  const ms = Date.parse(text);
  const begin = text.slice(0, MINUTE_LENGTH);
  if (MINUTE.test(begin) && !Number.isNaN(ms)) minute = { text: begin, startsAtMs: ms - intoMs };
  return ms;
}

/** The end of an instant, `59.123Z`; undefined where it is written otherwise. */
function intoMinuteMs(text: string): number | undefined {
  const seconds = 10 * digitAt(text, 17) + digitAt(text, 18);
  const ms = 100 * digitAt(text, 20) + 10 * digitAt(text, 21) + digitAt(text, 22);
  if (!(seconds < 60) || text[19] !== '.' || text[23] !== 'Z') return undefined;
  return Number.isNaN(ms) ? undefined : 1_000 * seconds + ms;
}

function digitAt(text: string, place: number): number {
  const digit = text.charCodeAt(place) - 48;
  return digit >= 0 && digit <= 9 ? digit : Number.NaN;
}

/** As far as `Date` counts. */
const LAST_INSTANT_MS = 8.64e15;

/** The beginning of what was sent. Also of what is too deep to be written: then there is none. */
export function sampleOf(event: unknown): string {
  try {
    return (JSON.stringify(event) ?? '').slice(0, SAMPLE_LENGTH_MAX).toWellFormed();
  } catch {
    return '';
  }
}
