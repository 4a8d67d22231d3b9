import { HASH_BYTES } from './hashing';
import { hashesAtLevel, TILE_WIDTH, type HashTileId } from './tile-path';
import { check } from './tlog.errors';

/**
 * Where tiles come from: a table, a folder, HTTP.
 *
 * Each is asked for once a call. The answer has the tiles in the order of the question, each with at least `width`
 * hashes: a tile only ever grows, so a store that keeps the latest state of it may give that.
 */
export interface TileReader {
  readTiles(tiles: readonly HashTileId[]): Promise<readonly Uint8Array[]>;
}

/** A reader that fetches tile by tile, all of a question at the same time. */
export const tileReader = (
  read: (level: number, index: number, width: number) => Promise<Uint8Array>,
): TileReader => ({
  readTiles: async (tiles) =>
    await Promise.all(tiles.map(async ({ level, index, width }) => await read(level, index, width))),
});

const nameOf = (level: number, index: number): string => `${level}/${index}`;

/** Hashes of a tree by their place in its tiles, once they are read. */
export class ReadTiles {
  private constructor(private readonly tiles: ReadonlyMap<string, Buffer>) {}

  /** Reads the tiles, and refuses what is too short or not made of whole hashes. */
  static async from(reader: TileReader, tiles: readonly HashTileId[]): Promise<ReadTiles> {
    if (tiles.length === 0) return new ReadTiles(new Map());
    const contents = await reader.readTiles(tiles);
    check(contents.length === tiles.length, 'missing_hashes', 'The reader gave another number of tiles');
    const named = tiles.map(({ level, index, width }, at): [string, Buffer] => {
      const name = nameOf(level, index);
      const content = contents[at] ?? Buffer.alloc(0);
      check(
        content.length >= width * HASH_BYTES,
        'missing_hashes',
        `Tile ${name} has fewer than ${width} hashes`,
      );
      const isWhole = content.length % HASH_BYTES === 0 && content.length <= TILE_WIDTH * HASH_BYTES;
      check(isWhole, 'malformed_tile', `Tile ${name} is not 1 to ${TILE_WIDTH} hashes`);
      return [name, Buffer.from(content.buffer, content.byteOffset, width * HASH_BYTES)];
    });
    return new ReadTiles(new Map(named));
  }

  /** The hashes of a tile, as many as were asked for. */
  tile({ level, index }: Omit<HashTileId, 'width'>): Buffer {
    const hashes = this.tiles.get(nameOf(level, index));
    check(hashes !== undefined, 'missing_hashes', `Tile ${nameOf(level, index)} was not read`);
    return hashes;
  }

  /** The hash at a place of a level. */
  at(level: number, place: number): Buffer {
    const from = (place % TILE_WIDTH) * HASH_BYTES;
    return this.tile({ level, index: Math.floor(place / TILE_WIDTH) }).subarray(from, from + HASH_BYTES);
  }
}

/** The tile that holds a place of a level in a tree of this size, as wide as the tree has it. */
export function tileOfPlace(size: number, level: number, place: number): HashTileId {
  const index = Math.floor(place / TILE_WIDTH);
  const width = Math.min(TILE_WIDTH, hashesAtLevel(size, level) - index * TILE_WIDTH);
  return { level, index, width };
}
