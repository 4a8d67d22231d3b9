import { RawObject } from './protocols/known-members';
import type { TrackedEvent } from './tracked-event';
import type { WriteKeyHolder } from './write-key';

/** What needs no escape in JSON, as ids and names mostly are; everything else is written by JSON.stringify. */
const PLAIN = /^[\w \-.:/@$+]*$/;

/** The beginning of the lines of a request: the columns that its rows have in common. */
export function sharedColumns({ tenantId, keyId }: WriteKeyHolder, nowMs: number, keepDays: number): string {
  return `{"tenant_id":"${tenantId}","received_at":${instant(nowMs)},"key_id":"${keyId}","keep_days":${keepDays}`;
}

/** The row of an event; undefined of one that no row can be written of, such as one that is nested too deeply. */
export function trackedLine(event: TrackedEvent, shared: string): string | undefined {
  try {
    return `${shared},"kind":"${event.kind}","message_id":${quoted(event.messageId)},"name":${quoted(event.name)},"user_id":${quoted(event.userId)},"anonymous_id":${quoted(event.anonymousId)},"group_id":${quoted(event.groupId)},"at":${instant(event.atMs)},"made_at":${event.madeAtMs},"properties":${written(event.properties)},"context":${written(event.context)}}`;
  } catch {
    return undefined;
  }
}

/**
 * The lines as one text. What was put together of pieces is a tree of them to V8, each of which may keep the body in memory that it was
 * cut from; `join` copies the characters of more than one.
 */
export function textOf(lines: readonly string[]): string {
  return lines.length === 1 ? [lines[0], ''].join('\n').slice(0, -1) : lines.join('\n');
}

function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

function written(members: object): string {
  return members instanceof RawObject ? members.text : JSON.stringify(members);
}

let second = Number.NaN;
let beginning = '';

/** As ISO 8601. Most instants are of the second of the one before, and Date takes longer than everything else of a row. */
function instant(atMs: number): string {
  const ofMs = Math.floor(atMs / 1_000);
  if (ofMs !== second) {
    beginning = new Date(ofMs * 1_000).toISOString().slice(0, -4);
    second = ofMs;
  }
  return `"${beginning}${String(atMs - ofMs * 1_000).padStart(3, '0')}Z"`;
}
