import { appendToTiles, edgeAfter, type Tile, tileId } from '../src/append-to-tiles';
import { type HashTileId, tilePath } from '../src/tile-path';
import type { TileReader } from '../src/tile-reader';

/** A log's tiles in memory, each as the last append left it, and a count of what is read. */
export class MemoryTiles implements TileReader {
  size = 0;
  readonly tiles = new Map<string, Tile>();
  readonly read: HashTileId[] = [];
  private edge: Tile[] = [];

  append(leafHashes: readonly Uint8Array[]): Tile[] {
    const changed = appendToTiles(this.size, this.edge, leafHashes);
    this.edge = edgeAfter(this.edge, changed);
    for (const tile of changed) this.tiles.set(`${tile.level}/${tile.index}`, tile);
    this.size += leafHashes.length;
    return changed;
  }

  async readTiles(tiles: readonly HashTileId[]): Promise<Buffer[]> {
    this.read.push(...tiles);
    return tiles.map(({ level, index }) => this.tiles.get(`${level}/${index}`)?.hashes ?? Buffer.alloc(0));
  }

  /** Every tile by its path, in base64. */
  contents(): Record<string, string> {
    return Object.fromEntries(
      [...this.tiles.values()]
        .map((tile): [string, string] => [tilePath(tileId(tile)), tile.hashes.toString('base64')])
        .toSorted(([one], [other]) => (one < other ? -1 : 1)),
    );
  }
}
