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

/** Events of a window that are looked at for leaves; more than there are leaves in it only where rows were inserted. */
const EVENTS_MAX = 10_000;
const NIL = '00000000-0000-0000-0000-000000000000';

/**
 * Reads the next tiles of a log with the rows of their events: by their ids, so that a row is found whatever was changed in
 * it; and beside them, by `seq`, the events that lie between and have no leaf, here or later.
 */
export async function readWindow(tx: TenantTx, place: LogPlace, limit: number): Promise<LogWindow> {
  const { epoch, tile } = place;
  const stored = await listStoredLeaves(tx, { epoch, from: tile, limit });
  const rows = await readLeafRows(
    tx,
    stored.flatMap(({ eventIds }) => eventIds ?? []).filter((id) => id !== NIL),
  );
  const tiles = stored.map((each) => tileOf(each, rows));
  const seq = stored.reduce((high, each) => greater(high, each.highSeq), place.seq);
  const leafless = await leaflessIn(tx, place, seq, new Set(rows.keys()));
  const last = stored.at(-1);
  const next = last && stored.length === limit ? { epoch, tile: last.tile + 1, seq } : undefined;
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
  return {
    tile,
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
  const between = await listIdsBetween(tx, place.seq, through, EVENTS_MAX);
  const others = between.filter(({ id }) => !known.has(id));
  const sealed = await withLeaves(tx, place, others);
  const leafless = others.filter(({ id }) => !sealed.has(id));
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
