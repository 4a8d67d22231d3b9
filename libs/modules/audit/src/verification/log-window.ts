import type { TenantTx } from '@holdfast/tenancy';
import { HASH_BYTES, TILE_WIDTH } from '@holdfast/tlog';
import { type LeafRow, PRINTS_LENGTH } from '../sealing/leaf';
import {
  listIdsBetween,
  listStoredLeaves,
  readLeafRows,
  type StoredLeaves,
  withLeaves,
} from './stored-log.sql';

/** A leaf with the row of its event; the row is undefined where it is gone. */
export interface LogLeaf {
  readonly index: number;
  readonly eventId: string;
  readonly prints: Buffer;
  readonly row: LeafRow | undefined;
}

/** A tile of leaves as it is stored, with the rows that they were made of. */
export interface LogTile {
  readonly tile: number;
  readonly hashes: readonly Buffer[];
  /** As many as there are hashes, but for leaf 0, which is no event's. */
  readonly leaves: readonly LogLeaf[];
  /** Whether there is an id and prints for each hash, and none more. */
  readonly isEven: boolean;
}

/** Where in a log one is: the next tile of leaves, and the greatest seq of all before. */
export interface LogPlace {
  readonly epoch: number;
  readonly tile: number;
  readonly seq: string;
}

/** Some tiles of a log, the events beside them that have no leaf, and where to go on. */
export interface LogWindow {
  readonly tiles: readonly LogTile[];
  readonly leafless: readonly LeafRow[];
  /** Undefined behind the last tile of the epoch. */
  readonly next: LogPlace | undefined;
  /** The greatest seq so far. */
  readonly seq: string;
}

/** Events that are looked at for leaves at a time. */
const EVENTS_PER_LOOK = 10_000;
/** Events without a leaf of one window: a log that has more is not mended one by one. */
const LEAFLESS_MAX = 1_000;
/** Payloads of a window in bytes, beyond which it ends with the tile that it is at. */
const BYTES_MAX = 4 * 1_048_576;
const NIL = '00000000-0000-0000-0000-000000000000';

/**
 * Reads the next tiles of a log with the rows of their events: by their ids, so that a row is found whatever was changed in
 * it; and beside them, by `seq`, the events that lie between and have no leaf, here or later.
 */
export async function readWindow(tx: TenantTx, place: LogPlace, limit: number): Promise<LogWindow> {
  const { epoch, tile } = place;
  const stored = await listStoredLeaves(tx, { epoch, from: tile, limit });
  const rows = new Map<string, LeafRow>();
  const read: StoredLeaves[] = [];
  for (let bytes = 0; read.length < stored.length && bytes < BYTES_MAX;) {
    const next = stored[read.length] as StoredLeaves;
    // What stands behind the hashes is nobody's leaf.
    const ids = next.eventIds?.slice(0, next.hashes.length / HASH_BYTES).filter((id) => id !== NIL) ?? [];
    for (const [id, row] of await readLeafRows(tx, ids)) {
      rows.set(id, row);
      bytes += row.data.length;
    }
    read.push(next);
  }
  const tiles = read.map((each) => tileOf(each, rows));
  const seq = read.reduce((high, each) => greater(high, each.highSeq), place.seq);
  const leafless = await leaflessIn(tx, place, seq, new Set(rows.keys()));
  const last = read.at(-1);
  const isMore = read.length < stored.length || stored.length === limit;
  const next = last && isMore ? { epoch, tile: last.tile + 1, seq } : undefined;
  return { tiles, leafless, next, seq };
}

/** The events behind the last leaf, a page at a time: those that are not sealed yet. */
export async function readUnsealed(tx: TenantTx, seq: string, limit: number): Promise<LeafRow[]> {
  const ids = await listIdsBetween(tx, seq, SEQ_MAX, limit);
  return inOrder(
    ids,
    await readLeafRows(
      tx,
      ids.map(({ id }) => id),
    ),
  );
}

const SEQ_MAX = String(2n ** 63n - 1n);
/** Before every seq that a row can have: whoever inserts one past the sequence chooses it. */
export const BEFORE_ALL = String(-(2n ** 63n) - 1n);

function tileOf(
  { tile, hashes, eventIds, prints }: StoredLeaves,
  rows: ReadonlyMap<string, LeafRow>,
): LogTile {
  const count = hashes.length / HASH_BYTES;
  const leaves = Array.from({ length: count }, (_, at): LogLeaf => {
    const eventId = eventIds?.[at] ?? NIL;
    const printed = prints?.subarray(at * PRINTS_LENGTH, (at + 1) * PRINTS_LENGTH);
    const isWhole = printed?.length === PRINTS_LENGTH;
    return {
      index: tile * TILE_WIDTH + at,
      eventId,
      prints: isWhole ? printed : Buffer.alloc(PRINTS_LENGTH),
      row: rows.get(eventId),
    };
  });
  const isEven = eventIds?.length === count && prints?.length === count * PRINTS_LENGTH;
  return {
    tile,
    isEven,
    hashes: Array.from({ length: count }, (_, at) => hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES)),
    leaves: leaves.slice(tile === 0 ? 1 : 0),
  };
}

async function leaflessIn(
  tx: TenantTx,
  place: LogPlace,
  through: string,
  known: ReadonlySet<string>,
): Promise<LeafRow[]> {
  const leafless: { readonly id: string }[] = [];
  // The whole range, whatever its end says of itself: what is stored there is what is to be verified.
  for (let after: string | undefined = place.seq; after !== undefined && leafless.length < LEAFLESS_MAX;) {
    const between: Awaited<ReturnType<typeof listIdsBetween>> = await listIdsBetween(
      tx,
      after,
      through,
      EVENTS_PER_LOOK,
    );
    const others = between.filter(({ id }) => !known.has(id));
    const sealed = await withLeaves(tx, place, others);
    leafless.push(...others.filter(({ id }) => !sealed.has(id)));
    after = between.length === EVENTS_PER_LOOK ? between.at(-1)?.seq : undefined;
  }
  return inOrder(
    leafless,
    await readLeafRows(
      tx,
      leafless.map(({ id }) => id),
    ),
  );
}

const inOrder = (ids: readonly { readonly id: string }[], rows: ReadonlyMap<string, LeafRow>): LeafRow[] =>
  ids.flatMap(({ id }) => rows.get(id) ?? []);

const greater = (one: string, other: string | null): string =>
  other !== null && BigInt(other) > BigInt(one) ? other : one;
