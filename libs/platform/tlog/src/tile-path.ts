import { type Count, toNumber } from './sizes';
import { check, TlogError } from './tlog.errors';

/** Hashes in a full tile, and entries in a full bundle: tiles are 8 levels high. */
export const TILE_WIDTH = 256;

/** Levels that a path may name. A tree of 2^53 leaves ends at level 6. */
const LEVEL_MAX = 63;

/** A tile of hashes, or a bundle of entries where the level is 'entries'. */
export interface TileId {
  readonly level: number | 'entries';
  /** Position in its level, from 0. */
  readonly index: number;
  /** Hashes or entries in it: 256, or fewer at the right edge of the tree. */
  readonly width: number;
}

/** A tile of hashes: not a bundle of entries. */
export interface HashTileId extends TileId {
  readonly level: number;
}

/** Refuses what is no tile. */
export function checkTile({ level, index, width }: TileId): void {
  const isLevel = level === 'entries' || (Number.isInteger(level) && level >= 0 && level <= LEVEL_MAX);
  check(isLevel, 'bad_argument', `There is no level ${level}`);
  toNumber(index, 'The index of a tile');
  const isWidth = Number.isInteger(width) && width >= 1 && width <= TILE_WIDTH;
  check(isWidth, 'bad_argument', `A tile is 1 to ${TILE_WIDTH} wide, not ${width}`);
}

/**
 * The path of a tile, relative to the prefix of the log: `tile/0/x001/234`, with `.p/<width>` behind a partial one, and
 * `tile/entries/…` for a bundle.
 */
export function tilePath(tile: TileId): string {
  checkTile(tile);
  const digits = String(tile.index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const index = padded.replaceAll(/\d{3}(?=\d)/g, 'x$&/');
  const partial = tile.width === TILE_WIDTH ? '' : `.p/${tile.width}`;
  return `tile/${tile.level}/${index}${partial}`;
}

const PATH = /^tile\/(entries|0|[1-9]\d?)\/((?:x\d{3}\/)*)(\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** The tile that a path names. Refuses every spelling but the one that `tilePath` gives. */
export function parseTilePath(path: string): TileId {
  const [, level = '', high = '', low = '', width] = (path.length <= 100 && PATH.exec(path)) || [];
  const tile: TileId = {
    level: level === 'entries' ? level : Number(level || Number.NaN),
    index: Number(high.replaceAll(/[x/]/g, '') + low),
    width: Number(width ?? TILE_WIDTH),
  };
  if (level === '' || !isNamedBy(path, tile))
    throw new TlogError('malformed_path', 'This is no path of a tile');
  return tile;
}

/** Not so for groups of leading zeroes, a width of 256 or more, and an index beyond 2^53. */
function isNamedBy(path: string, tile: TileId): boolean {
  if (tile.width > TILE_WIDTH || !Number.isSafeInteger(tile.index)) return false;
  return tile.level !== 'entries' && tile.level > LEVEL_MAX ? false : tilePath(tile) === path;
}

/** Hashes that a tree of this size has at a level of tiles. */
export const hashesAtLevel = (size: number, level: number): number => Math.floor(size / TILE_WIDTH ** level);

/** The tile at a level and index as a tree of this size has it; undefined where the tree ends before. */
export function tileAt(size: Count, level: number, index: number): HashTileId | undefined {
  const width = hashesAtLevel(toNumber(size, 'The size'), level) - index * TILE_WIDTH;
  return width > 0 ? { level, index, width: Math.min(width, TILE_WIDTH) } : undefined;
}

/** The partial tiles of a tree, one a level at most, lowest level first: what `appendToTiles` goes on from. */
export function edgeTiles(size: Count): HashTileId[] {
  const leaves = toNumber(size, 'The size');
  const tiles: HashTileId[] = [];
  for (let level = 0, hashes = leaves; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
    const width = hashes % TILE_WIDTH;
    if (width > 0) tiles.push({ level, index: Math.floor(hashes / TILE_WIDTH), width });
  }
  return tiles;
}

/** Every tile of hashes that a tree of this size has, level by level from the leaves, each from the left. */
export function* tilesOf(size: Count): Generator<HashTileId, void> {
  const leaves = toNumber(size, 'The size');
  for (let level = 0, hashes = leaves; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
    for (let index = 0; index * TILE_WIDTH < hashes; index++) {
      yield { level, index, width: Math.min(hashes - index * TILE_WIDTH, TILE_WIDTH) };
    }
  }
}

/** Every bundle of entries that a log of this size has, from the left. */
export function* bundlesOf(size: Count): Generator<TileId, void> {
  const leaves = toNumber(size, 'The size');
  for (let index = 0; index * TILE_WIDTH < leaves; index++) {
    yield { level: 'entries', index, width: Math.min(leaves - index * TILE_WIDTH, TILE_WIDTH) };
  }
}
