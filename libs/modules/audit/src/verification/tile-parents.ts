import type { TenantTx } from '@holdfast/tenancy';
import { Frontier, HASH_BYTES, TILE_WIDTH } from '@holdfast/tlog';
import type { LogFinding } from './log-finding';
import type { LogTile } from './log-window';
import { findUpperTile } from './stored-log.sql';

/** Compares full tiles with the hashes that stand for them above. Tiles above are read once in a page. */
export class TileParents {
  private readonly read = new Map<string, Promise<Buffer | undefined>>();

  constructor(
    private readonly tx: TenantTx,
    private readonly epoch: number,
  ) {}

  /** What is wrong above a tile of leaves; nothing above one that is not full. */
  async check({ tile, hashes }: LogTile): Promise<LogFinding[]> {
    if (hashes.length < TILE_WIDTH) return [];
    return this.compare(1, tile, rootOf(hashes));
  }

  private async compare(level: number, place: number, hashed: Buffer): Promise<LogFinding[]> {
    const index = Math.floor(place / TILE_WIDTH);
    const at = place % TILE_WIDTH;
    const above = await this.tile(level, index);
    const stored = above?.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES);
    if (!above || !stored?.equals(hashed)) {
      const leaf = place * TILE_WIDTH ** level;
      const message = `tile ${index} of level ${level} is not made of the tiles below it, from leaf ${leaf} on`;
      return [{ kind: 'tile', epoch: this.epoch, index: leaf, message }];
    }
    if (at !== TILE_WIDTH - 1) return [];
    return this.compare(level + 1, index, rootOf(splitHashes(above)));
  }

  private tile(level: number, index: number): Promise<Buffer | undefined> {
    const name = `${level}/${index}`;
    const read = this.read.get(name) ?? findUpperTile(this.tx, this.epoch, level, index);
    this.read.set(name, read);
    return read;
  }
}

const splitHashes = (hashes: Buffer): Buffer[] =>
  Array.from({ length: hashes.length / HASH_BYTES }, (_, at) =>
    hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  );

function rootOf(hashes: readonly Buffer[]): Buffer {
  const frontier = Frontier.empty();
  for (const hashed of hashes) frontier.append(hashed);
  return frontier.root();
}
