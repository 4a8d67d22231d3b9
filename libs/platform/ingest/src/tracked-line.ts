import { RawObject } from './protocols/known-members';
import type { TrackedEvent } from './tracked-event';
import type { WriteKeyHolder } from './write-key';

/** The columns of a row of `tracked` as they stand in a line, with a tab between two: as ClickHouseSink names them. */
const TRACKED_COLUMNS = [
  'tenant_id',
  'received_at',
  'key_id',
  'keep_days',
  'kind',
  'message_id',
  'name',
  'user_id',
  'anonymous_id',
  'group_id',
  'at',
  'made_at',
  'properties',
  'context',
] as const;

const SPECIAL = /[\\\t\n\r]/;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };
const UNESCAPED = new Map(Object.entries(ESCAPES).map(([character, pair]) => [pair, character]));

/** The beginning of the lines of a request: the columns that its rows have in common. */
export function sharedColumns({ tenantId, keyId }: WriteKeyHolder, nowMs: number, keepDays: number): string {
  return `${tenantId}\t${seconds(nowMs)}\t${keyId}\t${keepDays}`;
}

/**
 * The row of an event, as ClickHouse's TabSeparated has it; undefined of one that no row can be written of, such as one that is nested too
 * deeply.
 */
export function trackedLine(event: TrackedEvent, shared: string): string | undefined {
  try {
    const who = `${escaped(event.userId)}\t${escaped(event.anonymousId)}\t${escaped(event.groupId)}`;
    const when = `${seconds(event.atMs)}\t${event.madeAtMs}`;
    const what = `${written(event.properties)}\t${written(event.context)}`;
    return `${shared}\t${event.kind}\t${escaped(event.messageId)}\t${escaped(event.name)}\t${who}\t${when}\t${what}`;
  } catch {
    return undefined;
  }
}

/** The same row as a line of JSON. */
export function jsonOf(line: string): string {
  const columns = line.split('\t').map(unescaped);
  const members = TRACKED_COLUMNS.map((name, place) => `"${name}":${memberText(name, columns[place] ?? '')}`);
  return `{${members.join(',')}}`;
}

function memberText(name: (typeof TRACKED_COLUMNS)[number], text: string): string {
  switch (name) {
    case 'at':
    case 'received_at':
      return JSON.stringify(new Date(Math.round(Number(text) * 1_000)));
    case 'keep_days':
    case 'made_at':
    case 'properties':
    case 'context':
      return text;
    default:
      return JSON.stringify(text);
  }
}

function escaped(text: string): string {
  return SPECIAL.test(text) ? text.replace(/[\\\t\n\r]/g, (character) => ESCAPES[character] ?? '') : text;
}

function unescaped(text: string): string {
  return text.includes('\\') ? text.replace(/\\./g, (pair) => UNESCAPED.get(pair) ?? '') : text;
}

/** JSON has line breaks and tabs only as escapes. */
function written(members: object): string {
  const text = members instanceof RawObject ? members.text : JSON.stringify(members);
  return text.includes('\\') ? text.replaceAll('\\', '\\\\') : text;
}

/** Seconds of the epoch, to the millisecond. */
function seconds(atMs: number): string {
  if (!Number.isInteger(atMs)) throw new RangeError('no instant');
  const whole = Math.floor(atMs / 1_000);
  return `${whole}.${String(atMs - whole * 1_000).padStart(3, '0')}`;
}
