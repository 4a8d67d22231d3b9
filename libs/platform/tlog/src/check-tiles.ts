import { fullTileHash } from './append-to-tiles';
import { sameHash } from './hashing';
import { type Count, toNumber } from './sizes';
import { type HashTileId, TILE_WIDTH, tilePath, tilesOf } from './tile-path';
import { rootFromTiles } from './tile-proofs';
import { ReadTiles, type TileReader } from './tile-reader';
import { check } from './tlog.errors';

/** Full tiles that are read at a time: half a megabyte. */
const TILES_AT_A_TIME = 64;

/**
 * Verifies that the tiles of a tree are of one piece: that every hash above the leaves is that of the full tile below it.
 * Gives the root, which is then that of the leaf hashes, and not only of what the tiles at the edge say. Reads every tile
 * once, and those at the right edge once more for the root.
 *
 * Throws `wrong_tiles` with the paths of two that contradict each other.
 */
export async function checkTiles(reader: TileReader, size: Count): Promise<Buffer> {
  const leaves = toNumber(size, 'The size');
  for (const tile of tilesOf(leaves)) {
    if (tile.level > 0) await checkBelow(reader, tile);
  }
  return await rootFromTiles(reader, leaves);
}

/** Compares each hash of a tile with the full tile that it stands for. */
async function checkBelow(reader: TileReader, above: HashTileId): Promise<void> {
  const upper = await ReadTiles.from(reader, [above]);
  for (let from = 0; from < above.width; from += TILES_AT_A_TIME) {
    const below = Array.from({ length: Math.min(TILES_AT_A_TIME, above.width - from) }, (_, at) => ({
      level: above.level - 1,
      index: above.index * TILE_WIDTH + from + at,
      width: TILE_WIDTH,
    }));
    const lower = await ReadTiles.from(reader, below);
    for (const tile of below) {
      const isSame = sameHash(fullTileHash(lower.tile(tile)), upper.at(above.level, tile.index));
      check(isSame, 'wrong_tiles', `${tilePath(tile)} is not what ${tilePath(above)} says`);
    }
  }
}
