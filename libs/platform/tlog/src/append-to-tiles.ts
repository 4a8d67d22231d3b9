import { HASH_BYTES, nodeHash, splitHashes } from './hashing';
import { type Count, toNumber } from './sizes';
import { edgeTiles, type HashTileId, TILE_WIDTH } from './tile-path';
import { check } from './tlog.errors';

/** A tile of hashes with what is in it. */
export interface Tile {
  readonly level: number;
  readonly index: number;
  /** The hashes one behind the other, 32 bytes each: what stands under the tile's path. */
  readonly hashes: Buffer;
}

/** The name of a tile among its tree's. */
export const tileId = ({ level, index, hashes }: Tile): HashTileId => ({
  level,
  index,
  width: hashes.length / HASH_BYTES,
});

/** The root of a full tile, which is one hash of the level above. Level by level, since a full tile is perfect. */
export function fullTileHash(hashes: Buffer): Buffer {
  let row = splitHashes(hashes);
  while (row.length > 1) {
    const above: Buffer[] = [];
    for (let at = 0; at + 1 < row.length; at += 2) {
      above.push(nodeHash(row[at] as Buffer, row[at + 1] as Buffer));
    }
    row = above;
  }
  return row[0] as Buffer;
}

function partialsByLevel(size: number, edge: readonly Tile[]): Map<number, Tile> {
  const given = new Map(edge.map((tile) => [tile.level, tile]));
  const wanted = edgeTiles(size);
  check(
    given.size === edge.length && wanted.length === edge.length,
    'bad_argument',
    `A tree of ${size} has ${wanted.length} partial tiles`,
  );
  for (const { level, index, width } of wanted) {
    const tile = given.get(level);
    const fits = tile?.index === index && tile.hashes.length === width * HASH_BYTES;
    check(fits, 'bad_argument', `The partial tile at level ${level} is not that of a tree of ${size}`);
  }
  return given;
}

/**
 * The tiles that change when leaves are added to a tree of `size`, each with its whole content, level by level from the
 * leaves. `edge` are the tree's partial tiles (`edgeTiles(size)` names them); they grow in place, so a tile that is given
 * back replaces the one of the same level and index. `edgeAfter` tells the partial tiles that the next append goes on from.
 *
 * Pure: what is given is not changed, and what is given back shares no memory with it.
 */
export function appendToTiles(size: Count, edge: readonly Tile[], leafHashes: readonly Uint8Array[]): Tile[] {
  const partials = partialsByLevel(toNumber(size, 'The size'), edge);
  check(
    leafHashes.every((hash) => hash.length === HASH_BYTES),
    'bad_argument',
    'A hash has 32 bytes',
  );
  const total = toNumber(size, 'The size') + leafHashes.length;
  toNumber(total, 'The size after appending');
  const changed: Tile[] = [];
  let added: readonly Uint8Array[] = leafHashes;
  for (let level = 0; added.length > 0; level++) {
    const before = Math.floor(toNumber(size, 'The size') / TILE_WIDTH ** level);
    const partial = partials.get(level)?.hashes;
    const tiles = fillTiles(level, Math.floor(before / TILE_WIDTH), partial ? [partial, ...added] : added);
    changed.push(...tiles);
    added = tiles
      .filter(({ hashes }) => hashes.length === TILE_WIDTH * HASH_BYTES)
      .map(({ hashes }) => fullTileHash(hashes));
  }
  return changed;
}

function fillTiles(level: number, first: number, parts: readonly Uint8Array[]): Tile[] {
  const hashes = Buffer.concat(parts);
  const tileBytes = TILE_WIDTH * HASH_BYTES;
  return Array.from({ length: Math.ceil(hashes.length / tileBytes) }, (_, at) => ({
    level,
    index: first + at,
    hashes: hashes.subarray(at * tileBytes, (at + 1) * tileBytes),
  }));
}

/** The partial tiles of a tree after an append that gave `changed`: its `edge` from there on. */
export function edgeAfter(edge: readonly Tile[], changed: readonly Tile[]): Tile[] {
  // The later of a level is the one further to the right.
  const last = new Map([...edge, ...changed].map((tile) => [tile.level, tile]));
  return [...last.values()].filter(({ hashes }) => hashes.length < TILE_WIDTH * HASH_BYTES);
}
