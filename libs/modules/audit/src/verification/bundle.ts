import { hash } from 'node:crypto';
import type { TenantTx } from '@holdfast/tenancy';
import { HASH_BYTES, TILE_WIDTH } from '@holdfast/tlog';
import type { LeafRow } from '../sealing/leaf';
import {
  BEFORE_ALL,
  type LogLeaf,
  type LogPlace,
  type LogTile,
  readUnsealed,
  readWindow,
} from './log-window';
import {
  findStoredTree,
  listPublicKeys,
  listStoredCheckpoints,
  listStoredEpochs,
  listUpperTiles,
  type StoredEpoch,
} from './stored-log.sql';

/** A personal value that its commitment in the payload can be compared with. */
export interface Disclosure {
  readonly eventId: string;
  /** JSON pointer in the payload. */
  readonly path: string;
  readonly salt: string;
  readonly value: unknown;
}

/** What a bundle is made with. */
export interface BundleOptions {
  /** `AUDIT_LOG_NAME`. */
  readonly log: string;
  /** What may be disclosed of these events; none where the reader may not see personal values. */
  readonly disclose?: (tx: TenantTx, eventIds: readonly string[]) => Promise<readonly Disclosure[]>;
}

interface BundleEpoch {
  readonly number: number;
  readonly size: number;
}

/** How far a bundle is written: with the lines so far it is all that the rest is made from. */
export interface BundleProgress {
  readonly epochs: readonly BundleEpoch[];
  readonly at: LogPlace & { readonly part: 'leaves' | 'tiles' | 'unsealed'; readonly level: number };
  readonly lines: number;
  readonly leaves: number;
  readonly events: number;
  readonly unsealed: number;
  /** The running digest of the lines, in hexadecimal. */
  readonly digest: string;
}

/** The next bytes of a bundle, and how far it is behind them; undefined behind the trailer. */
export interface BundlePage {
  readonly bytes: Buffer;
  readonly progress: BundleProgress | undefined;
  /** Events in these bytes. */
  readonly events: number;
}

/** Tiles of leaves in a page: a thousand events, so that a transaction stays short. */
const LEAF_TILES = 4;
const UPPER_TILES = 256;
const UNSEALED = 1_000;
/** A year has 8,760 of them. */
const CHECKPOINTS_MAX = 200_000;

type Counts = Pick<BundleProgress, 'lines' | 'leaves' | 'events' | 'unsealed' | 'digest'>;

/** Lines of a page with their running digest, as FORMAT.md beside the verifier has it. */
class Lines {
  private readonly texts: string[] = [];

  constructor(private readonly counts: { -readonly [Key in keyof Counts]: Counts[Key] }) {}

  add(line: object): void {
    const text = `${JSON.stringify(line)}\n`;
    this.texts.push(text);
    this.counts.lines += 1;
    const before = Buffer.from(this.counts.digest, 'hex');
    this.counts.digest = hash('sha256', Buffer.concat([before, Buffer.from(text)]), 'hex');
  }

  leaf(epoch: number, { index, eventId, prints, row }: LogLeaf): void {
    const printed = prints.toString('base64');
    this.add({ leaf: { epoch, index: String(index), eventId, prints: printed, row: row ?? null } });
    this.counts.leaves += 1;
    if (row) this.counts.events += 1;
  }

  unsealed(row: LeafRow, index: number | null): void {
    this.add({ unsealed: { index: index === null ? null : String(index), row } });
    this.counts.unsealed += 1;
  }

  trailer(): void {
    const { lines, leaves, events, unsealed, digest } = this.counts;
    this.texts.push(`${JSON.stringify({ trailer: { lines, leaves, events, unsealed, digest } })}\n`);
  }

  page(before: Counts, at: Pick<BundleProgress, 'epochs' | 'at'> | undefined): BundlePage {
    const events = this.counts.events - before.events + this.counts.unsealed - before.unsealed;
    return { bytes: Buffer.from(this.texts.join('')), events, progress: at && { ...at, ...this.counts } };
  }
}

const NOTHING: Counts = {
  lines: 0,
  leaves: 0,
  events: 0,
  unsealed: 0,
  digest: Buffer.alloc(HASH_BYTES).toString('hex'),
};

/**
 * Begins a bundle of the tenant's log: who it is, the keys, the epochs and all checkpoints. What it holds as sealed is fixed
 * here, by the newest checkpoint; later events are in it as not yet sealed.
 */
export async function beginBundle(tx: TenantTx, { log }: BundleOptions): Promise<BundlePage> {
  const lines = new Lines({ ...NOTHING });
  lines.add({ format: 'holdfast-audit/1', tenantId: tx.tenantId, log, createdAt: new Date().toISOString() });
  for (const key of await listPublicKeys(tx)) lines.add({ key: key.toString('base64') });
  const tree = await findStoredTree(tx);
  // Before the checkpoints are read: what it shows has its leaf, be that under a checkpoint or not.
  if (tree) lines.add({ sealed: tree.sealed });
  const stored = await listStoredEpochs(tx);
  const checkpoints = await Promise.all(
    stored.map(({ epoch }) => listStoredCheckpoints(tx, { epoch, above: 0, limit: CHECKPOINTS_MAX })),
  );
  const epochs = stored.map(({ epoch }, at) => ({ number: epoch, size: checkpoints[at]?.at(-1)?.size ?? 0 }));
  for (const [at, epoch] of stored.entries()) lines.add({ epoch: epochLine(epoch, epochs[at]) });
  for (const { epoch, note } of checkpoints.flat()) lines.add({ checkpoint: { epoch, note } });
  return lines.page(NOTHING, { epochs, at: beginningOf(epochs, 0, BEFORE_ALL) });
}

const epochLine = ({ epoch, entry, prunedTo }: StoredEpoch, of: BundleEpoch | undefined): object => ({
  number: epoch,
  entry,
  size: String(of?.size ?? 0),
  prunedTo: String(prunedTo),
});

/** Where the epoch at this position begins; behind the last, where the events without leaves do. */
function beginningOf(epochs: readonly BundleEpoch[], position: number, seq: string): BundleProgress['at'] {
  const epoch = epochs[position]?.number;
  if (epoch === undefined) return { part: 'unsealed', epoch: 0, tile: 0, level: 0, seq };
  return { part: 'leaves', epoch, tile: 0, level: 0, seq };
}

/** Writes the next part of a bundle, in a transaction of its own if that is wanted. */
export async function continueBundle(
  tx: TenantTx,
  progress: BundleProgress,
  options: BundleOptions,
): Promise<BundlePage> {
  const { lines: count, leaves, events, unsealed, digest } = progress;
  const lines = new Lines({ lines: count, leaves, events, unsealed, digest });
  const write = { leaves: writeLeaves, tiles: writeUpperTiles, unsealed: writeUnsealed }[progress.at.part];
  const at = await write(tx, progress, lines, options);
  return lines.page(progress, at && { epochs: progress.epochs, at });
}

/** The next tiles of leaves, as wide as they are under the newest checkpoint; what is behind it is not sealed. */
async function writeLeaves(
  tx: TenantTx,
  { epochs, at }: BundleProgress,
  lines: Lines,
  { disclose }: BundleOptions,
): Promise<BundleProgress['at']> {
  const { size = 0 } = epochs.find(({ number }) => number === at.epoch) ?? {};
  const { tiles, leafless, next, seq } = await readWindow(tx, at, LEAF_TILES);
  const ids = disclose ? tiles.flatMap(({ leaves }) => leaves.map(({ eventId }) => eventId)) : [];
  const disclosed = Map.groupBy((await disclose?.(tx, ids)) ?? [], ({ eventId }) => eventId);
  for (const tile of tiles) writeTile(tile, at.epoch, size, lines, disclosed);
  for (const row of leafless) lines.unsealed(row, null);
  if (next) return { ...at, ...next };
  return { ...at, part: 'tiles', level: 0, tile: 0, seq };
}

function writeTile(
  { tile, hashes, leaves }: LogTile,
  epoch: number,
  size: number,
  lines: Lines,
  disclosed: ReadonlyMap<string, readonly Disclosure[]>,
): void {
  const sealed = hashes.slice(0, Math.max(0, size - tile * TILE_WIDTH));
  if (sealed.length > 0) lines.add({ tile: tileLine(epoch, 0, tile, Buffer.concat(sealed)) });
  for (const leaf of leaves) {
    if (leaf.index < size) lines.leaf(epoch, leaf);
    else if (leaf.row) lines.unsealed(leaf.row, leaf.index);
    const ofLeaf = leaf.index < size ? (disclosed.get(leaf.eventId) ?? []) : [];
    for (const { eventId, path, salt, value } of ofLeaf)
      lines.add({ disclosure: { eventId, path, salt, value } });
  }
}

const tileLine = (epoch: number, level: number, index: number, hashes: Buffer): object => ({
  epoch,
  level,
  index: String(index),
  hashes: hashes.toString('base64'),
});

async function writeUpperTiles(
  tx: TenantTx,
  { epochs, at }: BundleProgress,
  lines: Lines,
): Promise<BundleProgress['at']> {
  const position = epochs.findIndex(({ number }) => number === at.epoch);
  const size = epochs[position]?.size ?? 0;
  const after = { level: at.level, tile: at.tile };
  const tiles = await listUpperTiles(tx, at.epoch, after, UPPER_TILES);
  for (const { level, tile, hashes } of tiles) {
    const width = Math.floor(size / TILE_WIDTH ** level) - tile * TILE_WIDTH;
    if (width <= 0) continue;
    lines.add({ tile: tileLine(at.epoch, level, tile, hashes.subarray(0, width * HASH_BYTES)) });
  }
  const last = tiles.length === UPPER_TILES ? tiles.at(-1) : undefined;
  return last ? { ...at, level: last.level, tile: last.tile } : beginningOf(epochs, position + 1, at.seq);
}

async function writeUnsealed(
  tx: TenantTx,
  { at }: BundleProgress,
  lines: Lines,
): Promise<BundleProgress['at'] | undefined> {
  const rows = await readUnsealed(tx, at.seq, UNSEALED);
  for (const row of rows) lines.unsealed(row, null);
  const last = rows.length === UNSEALED ? rows.at(-1) : undefined;
  if (last) return { ...at, seq: last.seq };
  lines.trailer();
  return undefined;
}
