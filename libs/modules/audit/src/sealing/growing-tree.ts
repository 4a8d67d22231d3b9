import {
  appendToTiles,
  edgeTiles,
  Frontier,
  HASH_BYTES,
  leafHash,
  type Tile,
  TILE_WIDTH,
} from '@holdfast/tlog';
import { eventEntry, fieldPrints, type LeafRow, PRINTS_LENGTH } from './leaf';

/** The id that stands for an epoch's own entry, and the tenant whose log is that of the installation. */
export const NIL = '00000000-0000-0000-0000-000000000000';

/** A tile's place in its tree, as maps of tiles are keyed. */
export const tilePlace = ({ level, index }: { readonly level: number; readonly index: number }): string =>
  `${level}/${index}`;

/** What becomes a leaf. */
export interface NewLeaf {
  readonly hash: Buffer;
  readonly eventId: string;
  readonly prints: Buffer;
  /** Absent where the leaf is no event. */
  readonly seq?: bigint;
}

/** What is added to the leaves of a tile of level 0. */
export interface LeavesPart {
  readonly tile: number;
  readonly eventIds: readonly string[];
  readonly prints: Buffer;
  readonly firstSeq: bigint | null;
  readonly lastSeq: bigint | null;
  readonly highSeq: bigint;
}

/** Tiles of a tree are missing, or are shorter than its size says. */
export class TilesMissing extends Error {
  override readonly name = 'TilesMissing';
}

/** The leaf of an event. */
export function eventLeaf(row: LeafRow): NewLeaf {
  const hash = leafHash(Buffer.from(eventEntry(row)));
  return { hash, eventId: row.id, prints: fieldPrints(row), seq: BigInt(row.seq) };
}

/** The leaf of an entry that is no event's: that of an epoch, or one of the installation's own. */
export function entryLeaf(entry: string, id: string = NIL): NewLeaf {
  return { hash: leafHash(Buffer.from(entry)), eventId: id, prints: Buffer.alloc(PRINTS_LENGTH) };
}

/**
 * The right edge of a tree, twice: the partial tiles that appending goes on from, and the frontier that the root is made of.
 * Nothing that is given is changed: appending answers another one, which counts once its tiles are committed.
 */
export class GrowingTree {
  private constructor(
    private readonly edge: readonly Tile[],
    private readonly frontier: Frontier,
    private readonly highSeq: bigint,
  ) {}

  static empty(): GrowingTree {
    return new GrowingTree([], Frontier.empty(), 0n);
  }

  /** Takes up a tree where its tiles left it. Throws TilesMissing. */
  static from(size: number, tiles: ReadonlyMap<string, Buffer>, highSeq: bigint): GrowingTree {
    const edge = edgeTiles(size).map(({ level, index, width }): Tile => {
      const place = { level, index };
      const hashes = tiles.get(tilePlace(place));
      if (!hashes || hashes.length < width * HASH_BYTES)
        throw new TilesMissing(`tile ${tilePlace(place)} has fewer than ${width} hashes`);
      return { ...place, hashes: hashes.subarray(0, width * HASH_BYTES) };
    });
    return new GrowingTree(edge, frontierOf(size, edge), highSeq);
  }

  get size(): number {
    return this.frontier.size;
  }

  root(): Buffer {
    return this.frontier.root();
  }

  /** The tree with more leaves, and what is to be written for it. */
  append(leaves: readonly NewLeaf[]): { tree: GrowingTree; tiles: Tile[]; leaves: LeavesPart[] } {
    const hashes = leaves.map(({ hash }) => hash);
    const tiles = appendToTiles(this.size, this.edge, hashes);
    const frontier = this.frontier.copy();
    for (const hash of hashes) frontier.append(hash);
    const changed = new Map(tiles.map((tile) => [tilePlace(tile), tile]));
    const edge = edgeTiles(frontier.size).map(({ level, index }) => {
      const place = tilePlace({ level, index });
      const tile = changed.get(place) ?? this.edge.find((each) => tilePlace(each) === place);
      if (!tile) throw new TilesMissing(`tile ${place} is not at the edge`);
      return tile;
    });
    const parts = partsOf(this.size, leaves, this.highSeq);
    const highSeq = parts.at(-1)?.highSeq ?? this.highSeq;
    return { tree: new GrowingTree(edge, frontier, highSeq), tiles, leaves: parts };
  }
}

/** The perfect subtrees of each partial tile, the highest level first, are those of the tree. */
function frontierOf(size: number, edge: readonly Tile[]): Frontier {
  const hashes = edge.toReversed().flatMap((tile) => {
    const within = Frontier.empty();
    for (let at = 0; at < tile.hashes.length; at += HASH_BYTES)
      within.append(tile.hashes.subarray(at, at + HASH_BYTES));
    return within.hashes;
  });
  return Frontier.from(size, hashes);
}

function partsOf(size: number, leaves: readonly NewLeaf[], highSeq: bigint): LeavesPart[] {
  const parts: LeavesPart[] = [];
  let high = highSeq;
  for (let from = 0; from < leaves.length;) {
    const place = size + from;
    const to = Math.min(leaves.length, from + TILE_WIDTH - (place % TILE_WIDTH));
    const part = leaves.slice(from, to);
    const seqs = part.flatMap(({ seq }) => seq ?? []);
    const firstSeq = seqs.reduce<bigint | null>(
      (least, seq) => (least !== null && least < seq ? least : seq),
      null,
    );
    const lastSeq = seqs.reduce<bigint | null>(
      (most, seq) => (most !== null && most > seq ? most : seq),
      null,
    );
    if (lastSeq !== null && lastSeq > high) high = lastSeq;
    parts.push({
      tile: Math.floor(place / TILE_WIDTH),
      eventIds: part.map(({ eventId }) => eventId),
      prints: Buffer.concat(part.map(({ prints }) => prints)),
      firstSeq,
      lastSeq,
      highSeq: high,
    });
    from = to;
  }
  return parts;
}
