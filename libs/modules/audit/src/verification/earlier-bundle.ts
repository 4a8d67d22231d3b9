import { createReadStream, openSync, readSync, closeSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import type { EarlierLeaves } from './log-progress';

/** What this reads of a bundle's lines. */
interface BundleLine {
  readonly checkpoint?: { readonly epoch: number; readonly note: string };
  readonly tile?: {
    readonly epoch: number;
    readonly level: number;
    readonly index: string;
    readonly hashes: string;
  };
  readonly leaf?: { readonly index: string; readonly eventId: string };
}

interface Tile {
  readonly epoch: number;
  readonly index: number;
  readonly hashes: Buffer;
  readonly eventIds: string[];
}

const TILE_WIDTH = 256;
/** The two bytes that every gzip file begins with. */
const GZIP = 0x1f_8b;

/** A bundle that was kept, read from the beginning to the end beside a verification: one tile of it is in memory. */
export class EarlierBundle implements EarlierLeaves {
  private ahead: Tile | undefined;

  private constructor(
    private readonly lines: Interface,
    private readonly tiles: AsyncIterator<Tile>,
    /** The notes of its checkpoints. */
    readonly checkpoints: readonly { readonly epoch: number; readonly note: string }[],
  ) {}

  /** Opens a file, compressed or not. Its checkpoints stand at its beginning. */
  static async open(file: string): Promise<EarlierBundle> {
    const checkpoints: { epoch: number; note: string }[] = [];
    const chunks = createReadStream(file);
    const input = isGzipped(file) ? chunks.pipe(createGunzip()) : chunks;
    const lines = createInterface({ input, crlfDelay: Infinity });
    const tiles = tilesIn(lines, checkpoints);
    const first = await tiles.next();
    const bundle = new EarlierBundle(lines, tiles, checkpoints);
    bundle.ahead = first.done ? undefined : first.value;
    return bundle;
  }

  async tile(
    epoch: number,
    index: number,
  ): Promise<{ readonly hashes: Buffer; readonly eventIds: readonly string[] } | undefined> {
    while (
      this.ahead &&
      (this.ahead.epoch < epoch || (this.ahead.epoch === epoch && this.ahead.index < index))
    )
      await this.step();
    const found = this.ahead;
    return found?.epoch === epoch && found.index === index ? found : undefined;
  }

  async close(): Promise<void> {
    await this.tiles.return?.();
    this.lines.close();
  }

  private async step(): Promise<void> {
    const next = await this.tiles.next();
    this.ahead = next.done ? undefined : next.value;
  }
}

async function* tilesIn(
  lines: Interface,
  checkpoints: { epoch: number; note: string }[],
): AsyncGenerator<Tile, undefined> {
  let tile: Tile | undefined;
  for await (const text of lines) {
    const line = JSON.parse(text) as BundleLine;
    if (line.checkpoint) checkpoints.push(line.checkpoint);
    if (line.leaf && tile) tile.eventIds[Number(line.leaf.index) % TILE_WIDTH] = line.leaf.eventId;
    if (line.tile?.level !== 0) continue;
    if (tile) yield tile;
    const { epoch, index, hashes } = line.tile;
    tile = { epoch, index: Number(index), hashes: Buffer.from(hashes, 'base64'), eventIds: [] };
  }
  if (tile) yield tile;
  return undefined;
}

function isGzipped(file: string): boolean {
  const opened = openSync(file, 'r');
  try {
    const start = Buffer.alloc(2);
    readSync(opened, start);
    return start.readUInt16BE() === GZIP;
  } finally {
    closeSync(opened);
  }
}
