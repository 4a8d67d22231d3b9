import { createHash } from 'node:crypto';
import type { Caller } from '@holdfast/kernel';
import { CursorInvalid } from '@holdfast/cqrs';
import type { Snapshot } from './snapshot';

/**
 * Where a reader stands in its tenant's events: what `from` shows is done; of what `to` shows beyond that, events up to
 * `afterSeq` are. Between two ranges `to` is null. Snapshots stand here by themselves, since ticks are thinned.
 */
export interface TailPosition {
  /** Of the database: after a restore, or a failover, snapshots of before say nothing. */
  readonly lineage: bigint;
  readonly from: Snapshot;
  readonly to: Snapshot | null;
  readonly afterSeq: bigint;
}

/** Open transactions that a cursor names, so that two snapshots fit into `AFTER_MAX` characters. */
const OPEN_MAX = 1_000;
const DIGEST_BYTES = 9;
/** Characters of a cursor at most: with what else a client sends, they fit into the headers that Node and proxies take. */
export const AFTER_MAX = 8_000;
/** The largest that PostgreSQL takes for a transaction id or a sequence: 2^63 - 1. */
const NUMBER_MAX = 2n ** 63n - 1n;

/**
 * The position as an opaque text, bound to the tenant by a digest: one that is altered or another tenant's is refused, as
 * cursors of pages are. The digest has no secret: a cursor only says where in the caller's own log to go on, and
 * row-level security decides what is there. About 40 characters, and one or two for each open transaction.
 */
export function encodePosition(caller: Caller, { lineage, from, to, afterSeq }: TailPosition): string {
  const numbers = [lineage, afterSeq, ...packed(from), ...(to ? packed(to) : [])];
  const body = Buffer.from(numbers.flatMap(varint));
  return Buffer.concat([digest(caller, body), body]).toString('base64url');
}

/** Reads a cursor that `encodePosition` has made for the same tenant. Throws CursorInvalid. */
export function decodePosition(caller: Caller, cursor: string): TailPosition {
  const bytes = Buffer.from(cursor, 'base64url');
  const body = bytes.subarray(DIGEST_BYTES);
  if (!bytes.subarray(0, DIGEST_BYTES).equals(digest(caller, body))) throw new CursorInvalid();
  const numbers = new Numbers(body);
  const [lineage, afterSeq] = [numbers.next(), numbers.next()];
  const from = unpacked(numbers);
  const to = numbers.isEmpty ? null : unpacked(numbers);
  if (!numbers.isEmpty) throw new CursorInvalid();
  return { lineage, from, to, afterSeq };
}

function digest({ tenantId }: Caller, body: Buffer): Buffer {
  const hash = createHash('sha256').update(JSON.stringify([tenantId, 'events.tail']));
  return hash.update(body).digest().subarray(0, DIGEST_BYTES);
}

/** Differences: transactions that are open at the same time have ids near each other. */
function packed(snapshot: Snapshot): bigint[] {
  const { xmin, xmax, open } = withinLimit(snapshot);
  const steps = open.map((xid, index) => xid - (open[index - 1] ?? xmin));
  return [xmin, xmax - xmin, BigInt(open.length), ...steps];
}

/** Where more are open, a snapshot that shows less: its reader is sent some events again, and misses none. */
function withinLimit({ xmin, xmax, open }: Snapshot): Snapshot {
  const cut = open[OPEN_MAX];
  return cut === undefined ? { xmin, xmax, open } : { xmin, xmax: cut, open: open.slice(0, OPEN_MAX) };
}

/** What PostgreSQL takes for a snapshot: open transactions ascend, from xmin to below xmax. */
function unpacked(numbers: Numbers): Snapshot {
  const xmin = numbers.next();
  const xmax = xmin + numbers.next();
  const count = numbers.next();
  if (xmin === 0n || xmax > NUMBER_MAX || count > OPEN_MAX) throw new CursorInvalid();
  const open: bigint[] = [];
  for (let last = xmin; open.length < count; open.push(last)) {
    const step = numbers.next();
    last += step;
    if ((step === 0n && open.length > 0) || last >= xmax) throw new CursorInvalid();
  }
  return { xmin, xmax, open };
}

/** Seven bits a byte, lowest first; the eighth says that there is more. */
function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

class Numbers {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  get isEmpty(): boolean {
    return this.at === this.bytes.length;
  }

  next(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 63n; shift += 7n) {
      const byte = this.bytes[this.at];
      this.at += 1;
      if (byte === undefined) throw new CursorInvalid();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new CursorInvalid();
  }
}
