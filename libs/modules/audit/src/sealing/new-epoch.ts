import type { SystemTx } from '@holdfast/database';
import { at } from '@holdfast/events';
import type { Unsigned } from './checkpoint-signer';
import { findNewestCheckpoints } from './checkpoints.sql';
import { entryLeaf, GrowingTree } from './growing-tree';
import { epochEntry, type PreviousEpoch } from './leaf';
import type { InstallationEntries } from './installation-log';
import { adoptTree, beginEpoch, cutBack, readLeavesBehind } from './new-epoch.sql';
import { LogRefused } from './refusals';
import type { SealedLineage } from './sealer-lease.sql';
import type { SignerMemory } from './signer-memory';
import { treeName, type Tree, writeChanges } from './trees.sql';

/** A tree in the epoch that it has begun. */
export interface RenewedTree {
  readonly tree: Tree;
  readonly growing: GrowingTree;
  readonly unsigned: Unsigned;
}

/** The last checkpoint of a tenant, as far as anybody knows, and how much of that tree the database still has. */
interface LastCheckpoint {
  readonly note: string;
  readonly epoch: number;
  readonly kept: number;
  /** The newest checkpoint that the database has of its newest tree. */
  readonly stored: string | undefined;
}

/** Tiles of leaves that are moved at a time: 16,384 leaves. */
const MOVED_TILES = 64;

/**
 * Begins a tenant's next epoch, within the sealer's transaction. The tree that ends keeps what its last stored checkpoint
 * covers; the leaves behind that are the first of the new tree, under an entry that names the last checkpoint that was ever
 * signed, so every event is in one tree and under a checkpoint. What the restored database lost is lost, and the entry shows it.
 * A tree of which nothing was ever signed goes on as it is; then this answers undefined.
 */
export async function renewEpoch(
  tx: SystemTx,
  tree: Tree,
  known: {
    readonly memory: SignerMemory;
    readonly lineage: SealedLineage;
    readonly installation: InstallationEntries | undefined;
  },
): Promise<RenewedTree | undefined> {
  const { memory, lineage, installation } = known;
  const last = await findLast(tx, tree, memory);
  if (!last) {
    await adoptTree(tx, tree, lineage.epoch);
    return undefined;
  }
  const { tenantId } = tree;
  const { kept } = last;
  const epoch = Math.max(tree.epoch, last.epoch) + 1;
  const entry = epochEntry({ tenantId, epoch, previous: describeLast(tree, last) });
  await beginEpoch(tx, tree, { epoch, lineage: lineage.epoch, entry });
  await at('sealer.renewing');
  const begun: Tree = { ...tree, epoch, lineage: lineage.epoch, size: 0 };
  let { tree: growing, ...added } = GrowingTree.empty().append([entryLeaf(entry)]);
  await writeChanges(tx, [{ before: begun, after: { ...begun, size: growing.size }, ...added }]);
  for (let from = kept; from < tree.size; from = from - (from % 256) + MOVED_TILES * 256) {
    const leaves = await readLeavesBehind(tx, tree, from, MOVED_TILES);
    const before = { ...begun, size: growing.size };
    ({ tree: growing, ...added } = growing.append(leaves));
    await writeChanges(tx, [{ before, after: { ...begun, size: growing.size }, ...added }]);
    if (tenantId === installation?.tenantId)
      await installation.place(
        tx,
        epoch,
        before.size,
        leaves.map(({ eventId }) => eventId),
      );
  }
  if (growing.size !== 1 + tree.size - Math.max(1, kept))
    throw new LogRefused('tiles', `of ${tree.size} leaves ${growing.size - 1 + Math.max(1, kept)} are there`);
  await cutBack(tx, tree, kept);
  const root = growing.root();
  const { size } = growing;
  return {
    tree: { ...begun, size },
    growing,
    unsigned: { tenantId, epoch, size, root, oldestAtMs: undefined },
  };
}

/** Where nothing is left of the epoch that ended, its tree is named that is: so that nobody takes that one away as well. */
function describeLast(tree: Tree, { note, epoch, kept, stored }: LastCheckpoint): PreviousEpoch {
  if (epoch === tree.epoch) return { checkpoint: note, kept: String(kept) };
  return { checkpoint: note, kept: '0', ...(stored !== undefined && { behind: stored }) };
}

async function findLast(tx: SystemTx, tree: Tree, memory: SignerMemory): Promise<LastCheckpoint | undefined> {
  const stored = (await findNewestCheckpoints(tx, [tree])).get(treeName(tree));
  const kept = stored?.size ?? 0;
  const signed = memory.newest(tree.tenantId);
  const isNewer =
    signed && (signed.epoch > tree.epoch || (signed.epoch === tree.epoch && signed.size >= kept));
  if (isNewer) return { note: signed.note, epoch: signed.epoch, kept, stored: stored?.note };
  return stored && { note: stored.note, epoch: tree.epoch, kept, stored: stored.note };
}
