import { emptyRoot, nodeHash } from './hashing';
import { type Count, toNumber } from './sizes';
import { type HashTileId, TILE_WIDTH } from './tile-path';
import { ReadTiles, tileOfPlace, type TileReader } from './tile-reader';
import { check } from './tlog.errors';

/** The leaves from one on until before another: D[from:to] of RFC 6962. */
interface Leaves {
  readonly from: number;
  readonly to: number;
}

/** Hashes of tiles stand for this many levels of the tree each: a tile is 2^8 wide. */
const TILE_HEIGHT = 8;

/** The largest power of two below a number of leaves, where RFC 6962 splits them. */
export function splitOf(leaves: number): number {
  let half = 1;
  while (half * 2 < leaves) half *= 2;
  return half;
}

const isPowerOfTwo = (leaves: number): boolean => leaves === 1 || splitOf(leaves) * 2 === leaves;

/** The level of tiles that has a perfect subtree of so many leaves, or the hashes right below it. */
const levelOf = (leaves: number): number => Math.floor(Math.log2(leaves) / TILE_HEIGHT);

function split({ from, to }: Leaves): [Leaves, Leaves] {
  const middle = from + splitOf(to - from);
  return [
    { from, to: middle },
    { from: middle, to },
  ];
}

/** The tiles that the hash of a range of leaves is made of. */
function* tilesUnder(size: number, range: Leaves): Generator<HashTileId, void> {
  const leaves = range.to - range.from;
  if (isPowerOfTwo(leaves)) {
    const level = levelOf(leaves);
    yield tileOfPlace(size, level, range.from / TILE_WIDTH ** level);
    return;
  }
  for (const half of split(range)) yield* tilesUnder(size, half);
}

/** MTH of RFC 6962 section 2.1, from its definition; a hash that stands in a tile is taken from there. */
function treeHash(tiles: ReadTiles, range: Leaves): Buffer {
  const leaves = range.to - range.from;
  const level = levelOf(leaves);
  if (TILE_WIDTH ** level === leaves) return tiles.at(level, range.from / leaves);
  const [left, right] = split(range);
  return nodeHash(treeHash(tiles, left), treeHash(tiles, right));
}

/** The hashes of ranges of leaves, each tile among those that they are made of read once. */
async function treeHashes(reader: TileReader, size: number, ranges: readonly Leaves[]): Promise<Buffer[]> {
  const wanted = ranges.flatMap((range) => [...tilesUnder(size, range)]);
  const distinct = new Map(wanted.map((tile) => [`${tile.level}/${tile.index}`, tile]));
  const tiles = await ReadTiles.from(reader, [...distinct.values()]);
  return ranges.map((range) => treeHash(tiles, range));
}

/**
 * The root of a tree from its tiles, by the definition of RFC 6962 and not as `Frontier` gets at it. Reads the right
 * edge: at most one tile a level, and relies on what the tiles above the leaves say. `checkTiles` looks at those too.
 */
export async function rootFromTiles(reader: TileReader, size: Count): Promise<Buffer> {
  const leaves = toNumber(size, 'The size');
  if (leaves === 0) return emptyRoot();
  const [root] = await treeHashes(reader, leaves, [{ from: 0, to: leaves }]);
  return root as Buffer;
}

/** The ranges whose hashes are PATH(index, D[size]) of RFC 6962 section 2.1.1, from the leaf's sibling upwards. */
function pathOf(index: number, size: number): Leaves[] {
  const siblings: Leaves[] = [];
  for (let range: Leaves = { from: 0, to: size }; range.to - range.from > 1;) {
    const [left, right] = split(range);
    const isLeft = index < left.to;
    siblings.push(isLeft ? right : left);
    range = isLeft ? left : right;
  }
  return siblings.toReversed();
}

/**
 * The inclusion proof of the leaf at `index` in the tree of `size` leaves: what `verifyInclusion` takes. The tiles may be
 * those of a larger tree. Reads two tiles a level at most.
 */
export async function inclusionProof(reader: TileReader, index: Count, size: Count): Promise<Buffer[]> {
  const leaves = toNumber(size, 'The size');
  const leaf = toNumber(index, 'The index');
  check(leaf < leaves, 'bad_argument', `There is no leaf ${leaf} in a tree of ${leaves}`);
  return await treeHashes(reader, leaves, pathOf(leaf, leaves));
}

/** The ranges whose hashes are PROOF(oldSize, D[newSize]) of RFC 6962 section 2.1.2. */
function subproofOf(oldSize: number, newSize: number): Leaves[] {
  const hashes: Leaves[] = [];
  let range: Leaves = { from: 0, to: newSize };
  let startsAtZero = true;
  while (range.to !== oldSize) {
    const [left, right] = split(range);
    const isLeft = oldSize <= left.to;
    hashes.push(isLeft ? right : left);
    range = isLeft ? left : right;
    startsAtZero &&= isLeft;
  }
  // The old tree's own root is what the verifier has already, and the proof leaves it out.
  if (!startsAtZero) hashes.push(range);
  return hashes.toReversed();
}

/**
 * The consistency proof from the tree of `oldSize` leaves to that of `newSize`: what `verifyConsistency` takes. Empty if
 * the sizes are equal or the old tree has no leaves. Reads a few tiles a level.
 */
export async function consistencyProof(
  reader: TileReader,
  oldSize: Count,
  newSize: Count,
): Promise<Buffer[]> {
  const before = toNumber(oldSize, 'The old size');
  const after = toNumber(newSize, 'The new size');
  check(before <= after, 'bad_argument', `A tree of ${after} is no later state of one of ${before}`);
  if (before === 0 || before === after) return [];
  return await treeHashes(reader, after, subproofOf(before, after));
}
