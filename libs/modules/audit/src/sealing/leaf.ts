import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { canonicalJson } from '@holdfast/tlog';

/** A row of `events.log` as its leaf is made from it: PostgreSQL's own text of every column. */
export interface LeafRow {
  readonly seq: string;
  readonly xid: string;
  readonly tenant_id: string;
  readonly id: string;
  readonly stream_type: string;
  readonly stream_id: string;
  readonly stream_version: string;
  readonly type: string;
  readonly schema_version: number;
  readonly actor: string;
  readonly act: string | null;
  readonly correlation_id: string;
  readonly causation_id: string | null;
  readonly traceparent: string | null;
  /** RFC 3339 in UTC with six digits of a second; PostgreSQL's own text outside the years 1 to 9999. */
  readonly occurred_at: string;
  /** The text of the jsonb. */
  readonly data: string;
}

/**
 * The fields of an entry and the columns that they are made of, in the order of their prints. What is added to `events.log` is
 * added here behind the last, in another version of the entry.
 */
export const LEAF_FIELDS = [
  ['seq', 'seq'],
  ['xid', 'xid'],
  ['tenantId', 'tenant_id'],
  ['id', 'id'],
  ['streamType', 'stream_type'],
  ['streamId', 'stream_id'],
  ['streamVersion', 'stream_version'],
  ['type', 'type'],
  ['schemaVersion', 'schema_version'],
  ['actor', 'actor'],
  ['act', 'act'],
  ['correlationId', 'correlation_id'],
  ['causationId', 'causation_id'],
  ['traceparent', 'traceparent'],
  ['occurredAt', 'occurred_at'],
  ['data', 'data'],
] as const satisfies readonly (readonly [string, keyof LeafRow])[];

/** Bytes of prints of one leaf: two for each field. */
export const PRINTS_LENGTH = 2 * LEAF_FIELDS.length;

/** Texts up to here stand in the entry as they are; of longer ones it has the digest. In bytes of UTF-8. */
const TEXT_MAX = 512;
/** The same for the payload. With every other field at its longest an entry stays under the 65,535 bytes of a bundle. */
const DATA_MAX = 49_152;

/** Values within values, beyond which a payload stands as its text: readers of JSON and their stacks differ. */
const DEPTH_MAX = 64;

/** Strings, which are skipped, numbers, and what opens and closes. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[{}[\]]/g;

/**
 * The entry of an event's leaf, version 1: an object in canonical JSON (RFC 8785) with `v`, `kind` ("event") and a member for
 * each of `LEAF_FIELDS`, all of them strings or null but for `schemaVersion` and `data`.
 *
 * Every row has exactly one entry, and no two different rows have the same: a text of more than 512 bytes stands as
 * `<field>Sha256`, the hexadecimal SHA-256 of its UTF-8; a payload whose canonical form is longer than 48 KiB as
 * `dataSha256`, that of its canonical form; and a payload with a number that JSON readers would change (`1.0`, or beyond
 * 2^53 - 1), or with more than 64 values within each other, as `dataText`, PostgreSQL's text of it, or, where that is longer
 * than 48 KiB, as its digest `dataTextSha256`.
 */
export function eventEntry(row: LeafRow): string {
  const members: Record<string, unknown> = { v: 1, kind: 'event' };
  for (const [field, column] of LEAF_FIELDS) {
    if (column === 'data') continue;
    const value = row[column];
    if (typeof value === 'string' && Buffer.byteLength(value) > TEXT_MAX)
      members[`${field}Sha256`] = sha256(value);
    else members[field] = value;
  }
  return canonicalJson({ ...members, ...payloadMember(row.data) });
}

/** What stands in the entry for the payload whose jsonb has this text. */
function payloadMember(text: string): Record<string, unknown> {
  // The canonical form is never longer than PostgreSQL's text, which has the same escapes and spaces besides.
  const isShort = Buffer.byteLength(text) <= DATA_MAX;
  if (!isPlain(text)) return isShort ? { dataText: text } : { dataTextSha256: sha256(text) };
  const data: unknown = JSON.parse(text);
  if (isShort) return { data };
  const canonical = canonicalJson(data);
  return Buffer.byteLength(canonical) > DATA_MAX ? { dataSha256: sha256(canonical) } : { data };
}

/** Whether every reader of JSON reads the same from it. */
function isPlain(text: string): boolean {
  let depth = 0;
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    else if (!token.startsWith('"') && !isPlainNumber(token)) return false;
    if (depth > DEPTH_MAX) return false;
  }
  return true;
}

const isPlainNumber = (token: string): boolean =>
  Number.isSafeInteger(Number(token)) && String(Number(token)) === token;

/**
 * Two bytes for each field: the lower half of the CRC-32 of its text, 0 for null. They name the field that was changed where
 * a leaf no longer fits its row, and prove nothing: that it was changed is what the leaf proves.
 */
export function fieldPrints(row: LeafRow): Buffer {
  const prints = Buffer.alloc(PRINTS_LENGTH);
  let at = 0;
  for (const [, column] of LEAF_FIELDS) {
    const value = row[column];
    if (value !== null) prints.writeUInt16BE(crc32(String(value)) & 0xff_ff, at);
    at += 2;
  }
  return prints;
}

/** The fields whose prints differ, by their names in the entry. */
export function differingFields(one: Buffer, other: Buffer): string[] {
  return LEAF_FIELDS.map(([field]) => field).filter(
    (_, index) => one.readUInt16BE(2 * index) !== other.readUInt16BE(2 * index),
  );
}

/** What the first leaf of a tree says. */
export interface EpochEntry {
  readonly tenantId: string;
  readonly epoch: number;
  /**
   * The last checkpoint of the epoch before, as far as the signer remembers it, and how many of its leaves the database still
   * had when this epoch began; null in epoch 1.
   */
  readonly previous: PreviousEpoch | null;
}

/** The epoch before one. Where the database had nothing of it, `behind` is the newest checkpoint of the tree that it had, if any. */
export interface PreviousEpoch {
  readonly checkpoint: string;
  readonly kept: string;
  readonly behind?: string;
}

/** The entry of leaf 0. */
export function epochEntry({ tenantId, epoch, previous }: EpochEntry): string {
  return canonicalJson({ v: 1, kind: 'epoch', tenantId, epoch, previous });
}

function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}
