import type { Database } from '@holdfast/database';
import { at } from '@holdfast/events';
import { edgeTiles, HASH_BYTES, openNote, rootFromTiles, TlogError, tileReader } from '@holdfast/tlog';
import {
  findNewestCheckpoints,
  listErased,
  type StoredCheckpoint,
  upsertCheckpoints,
} from './checkpoints.sql';
import { tilePlace } from './growing-tree';
import type { LogKeys } from './log-keys';
import { LogRefused, type Refusals } from './refusals';
import { holdSealer, type SealedLineage, type SealerLease, sealing } from './sealer-lease.sql';
import { adoptedTotal, checkpointsTotal, sealLagSeconds, unsignedSeconds } from './sealing-metrics';
import type { Signed, SignerMemory } from './signer-memory';
import { readTiles, treeName, type TreeKey } from './trees.sql';

/** A tree that has grown by leaves which are committed. */
export interface Unsigned extends TreeKey {
  readonly size: number;
  /** As the frontier has it, which never saw the tiles that were stored. */
  readonly root: Buffer;
  /** When the oldest of the events was appended, in milliseconds since 1970; absent where that is not known. */
  readonly oldestAtMs: number | undefined;
}

/** What the signer needs of its term. */
export interface CheckpointSignerOptions {
  readonly database: Database;
  readonly keys: LogKeys;
  readonly memory: SignerMemory;
  readonly lease: SealerLease;
  readonly lineage: SealedLineage;
  readonly refusals: Refusals;
  readonly warn: (message: string) => void;
}

/** Trees of rounds whose WAL ends at or before `position`. Undefined until the first look behind the commit. */
interface Waiting {
  position: bigint | undefined;
  readonly trees: Map<string, Unsigned>;
}

/** What is known of a tree besides its leaves. */
interface Evidence {
  readonly tiles: ReadonlyMap<string, Buffer>;
  readonly remembered: Signed | undefined;
  readonly stored: StoredCheckpoint | undefined;
}

/** Trees that are verified and signed at a time: some 6 tiles of 8 KiB each. */
const BATCH_TREES = 200;
/** Rounds that wait apart; with more, while a standby is far behind, the newest are joined. */
const WAITING_MAX = 100;

/**
 * Signs what is committed and on disk wherever it has to be: makes the root a second time from the tiles that the database
 * has, compares both with what was signed before, remembers, and only then shows the checkpoint to anybody.
 */
export class CheckpointSigner {
  private waiting: Waiting[] = [];
  private readonly compared = new Set<string>();

  constructor(private readonly options: CheckpointSignerOptions) {}

  /** Trees whose growth has been committed by now. */
  add(trees: readonly Unsigned[]): void {
    if (trees.length === 0) return;
    const round = { position: undefined, trees: new Map(trees.map((tree) => [treeName(tree), tree])) };
    this.waiting.push(round);
    if (this.waiting.length <= WAITING_MAX) return;
    const [older, newer] = this.waiting.splice(-2) as [Waiting, Waiting];
    this.waiting.push({ position: newer.position, trees: merged([older, newer]) });
  }

  /** Whether something waits to be signed. */
  get isWaiting(): boolean {
    return this.waiting.length > 0;
  }

  /**
   * Signs what is safe at `flushedTo`, where `flushedHere` is how far this server's own disk is: what was added before this
   * look lies at or before it.
   */
  async sign(flushedHere: bigint, flushedTo: bigint): Promise<void> {
    for (const round of this.waiting) round.position ??= flushedHere;
    const ready = this.waiting.filter(({ position }) => position !== undefined && position <= flushedTo);
    const trees = [...merged(ready).values()].filter(({ tenantId }) => !this.options.refusals.has(tenantId));
    for (let from = 0; from < trees.length; from += BATCH_TREES)
      await this.signBatch(trees.slice(from, from + BATCH_TREES));
    this.waiting = this.waiting.filter((round) => !ready.includes(round));
    this.showAge();
  }

  private async signBatch(trees: readonly Unsigned[]): Promise<void> {
    const { memory, lineage, refusals, keys } = this.options;
    const evidence = await this.gather(trees);
    await at('sealer.reread');
    const signed: { readonly tree: Unsigned; readonly note: string }[] = [];
    const problems = new Map<string, LogRefused>();
    for (const tree of trees) {
      const problem = await this.problemOf(tree, evidence(tree));
      if (problem) problems.set(tree.tenantId, problem);
      else signed.push({ tree, note: keys.sign(tree) });
    }
    await this.refuse(problems, refusals);
    await memory.append(
      signed.map(({ tree: { tenantId, epoch, size, root }, note }) => ({
        tenantId,
        epoch,
        lineage: lineage.name,
        size,
        root: root.toString('base64'),
        note,
      })),
    );
    await at('sealer.remembered');
    await this.store(signed.map(({ tree, note }) => ({ ...tree, note })));
    await at('sealer.stored');
    for (const { tree } of signed) {
      this.compared.add(treeName(tree));
      if (tree.oldestAtMs !== undefined)
        sealLagSeconds.observe(Math.max(0, Date.now() - tree.oldestAtMs) / 1_000);
    }
    checkpointsTotal.inc(signed.length);
  }

  /** Tiles that are gone because their tenant is being erased are nobody's to look after. */
  private async refuse(problems: ReadonlyMap<string, LogRefused>, refusals: Refusals): Promise<void> {
    if (problems.size === 0) return;
    const erased = await sealing(
      this.options.database,
      (tx) => listErased(tx, [...problems.keys()]),
      'read only',
    );
    for (const [tenantId, problem] of problems) if (!erased.has(tenantId)) refusals.refuse(tenantId, problem);
  }

  private async gather(trees: readonly Unsigned[]): Promise<(tree: Unsigned) => Evidence> {
    const { database, memory } = this.options;
    const strangers = trees.filter((tree) => !this.compared.has(treeName(tree)));
    const [tiles, stored] = await sealing(
      database,
      async (tx) => {
        const found =
          strangers.length > 0
            ? await findNewestCheckpoints(tx, strangers)
            : new Map<string, StoredCheckpoint>();
        const wanted = trees.map((tree) => {
          const sizes = [tree.size, memory.last(tree)?.size, found.get(treeName(tree))?.size];
          const places = sizes.flatMap((size) => (size === undefined ? [] : edgeTiles(size)));
          const distinct = new Map(
            places.map(({ level, index }) => {
              const place = { level, index };
              return [tilePlace(place), place];
            }),
          );
          return { tree, tiles: [...distinct.values()] };
        });
        return [await readTiles(tx, wanted), found] as const;
      },
      'read only',
    );
    return (tree) => ({
      tiles: tiles.get(treeName(tree)) ?? new Map<string, Buffer>(),
      remembered: memory.last(tree),
      stored: stored.get(treeName(tree)),
    });
  }

  /** Why the tree is not signed; undefined if it grew out of everything that was signed of it. */
  private async problemOf(tree: Unsigned, evidence: Evidence): Promise<LogRefused | undefined> {
    const { remembered, stored, tiles } = evidence;
    const newest = this.options.memory.newest(tree.tenantId);
    try {
      if (newest && newest.epoch > tree.epoch)
        throw new LogRefused(
          'behind',
          `epoch ${newest.epoch} was signed already, and the database has ${tree.epoch}`,
        );
      if (!(await rootAt(tiles, tree.size)).equals(tree.root))
        throw new LogRefused(
          'root',
          `the tiles at size ${tree.size} have another root than the leaves that were sealed`,
        );
      if (remembered) await assertGrown(tree, tiles, remembered.size, Buffer.from(remembered.root, 'base64'));
      if (stored && stored.size > (remembered?.size ?? 0)) await this.adopt(tree, tiles, stored);
      return undefined;
    } catch (error) {
      if (error instanceof LogRefused) return error;
      if (error instanceof TlogError) return new LogRefused('tiles', error.message);
      throw error;
    }
  }

  /** A checkpoint that the memory knows nothing of counts if it was signed by a key of this log. */
  private async adopt(tree: Unsigned, tiles: Evidence['tiles'], stored: StoredCheckpoint): Promise<void> {
    const { keys, warn } = this.options;
    try {
      openNote(stored.note, keys.verifierKeys(tree));
    } catch (error) {
      if (!(error instanceof TlogError)) throw error;
      throw new LogRefused(
        'unverified',
        `the stored checkpoint of size ${stored.size} is not signed by a key of this log`,
      );
    }
    await assertGrown(tree, tiles, stored.size, stored.root);
    adoptedTotal.inc();
    warn(
      `The signer had no memory of the checkpoint of ${treeName(tree)} at ${stored.size}, and took it over from the database.`,
    );
  }

  private async store(checkpoints: readonly StoredCheckpoint[]): Promise<void> {
    if (checkpoints.length === 0) return;
    const { database, lease, lineage } = this.options;
    await sealing(database, async (tx) => {
      const held = holdSealer(tx, lease, lineage);
      await Promise.all([held, upsertCheckpoints(tx, checkpoints)]);
    });
  }

  private showAge(): void {
    const oldest = this.waiting.flatMap(({ trees }) =>
      [...trees.values()].flatMap(({ oldestAtMs }) => oldestAtMs ?? []),
    );
    unsignedSeconds.set(oldest.length === 0 ? 0 : Math.max(0, Date.now() - Math.min(...oldest)) / 1_000);
  }
}

/** The newest state of each tree, with the age of the oldest event among all of them. */
function merged(rounds: readonly Waiting[]): Map<string, Unsigned> {
  const trees = new Map<string, Unsigned>();
  for (const [name, tree] of rounds.flatMap((round) => [...round.trees])) {
    const before = trees.get(name)?.oldestAtMs;
    const oldestAtMs = Math.min(before ?? Infinity, tree.oldestAtMs ?? Infinity);
    trees.set(name, { ...tree, oldestAtMs: oldestAtMs === Infinity ? undefined : oldestAtMs });
  }
  return trees;
}

async function assertGrown(
  { size }: Unsigned,
  tiles: ReadonlyMap<string, Buffer>,
  before: number,
  root: Buffer,
): Promise<void> {
  if (size < before)
    throw new LogRefused(
      'behind',
      `a tree of ${before} leaves was signed already, and the database has ${size}`,
    );
  if (!(await rootAt(tiles, before)).equals(root))
    throw new LogRefused('fork', `the first ${before} leaves are others than those that were signed`);
}

function rootAt(tiles: ReadonlyMap<string, Buffer>, size: number): Promise<Buffer> {
  const reader = tileReader((level, index, width) =>
    Promise.resolve(
      (tiles.get(tilePlace({ level, index })) ?? Buffer.alloc(0)).subarray(0, width * HASH_BYTES),
    ),
  );
  return rootFromTiles(reader, size);
}
