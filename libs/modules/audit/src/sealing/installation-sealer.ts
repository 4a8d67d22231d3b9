import type { Database, SystemTx } from '@holdfast/database';
import { formatProofFile, inclusionProof, type TileReader } from '@holdfast/tlog';
import type { Unsigned } from './checkpoint-signer';
import { entryLeaf, GrowingTree, tilePlace } from './growing-tree';
import type { InstallationEntries } from './installation-log';
import { holdSealer, type SealedLineage, type SealerLease, sealing } from './sealer-lease.sql';
import { begin } from './sealing-round';
import type { SignerMemory } from './signer-memory';
import type { TreeCache } from './tree-cache';
import { findTree, insertTrees, readTiles, treeName, type TreeKey, writeChanges } from './trees.sql';

/** What this part of a term is given. */
export interface InstallationSealerOptions {
  readonly database: Database;
  readonly entries: InstallationEntries;
  readonly lease: SealerLease;
  readonly lineage: SealedLineage;
  readonly memory: SignerMemory;
  readonly cache: TreeCache;
}

/** A process of the API registers some keys a day. */
const ENTRIES_MAX = 500;

/** Seals the installation's own log, whose entries come from a table of their own, and certifies them in it. */
export class InstallationSealer {
  constructor(private readonly options: InstallationSealerOptions) {}

  /** Gives entries their leaves; answers the tree if it has grown. */
  async seal(): Promise<Unsigned | undefined> {
    const { database, entries, cache, lease, lineage, memory } = this.options;
    const { tenantId } = entries;
    const [tree, unplaced] = await sealing(
      database,
      (tx) => Promise.all([findTree(tx, tenantId), entries.listUnplaced(tx, ENTRIES_MAX)]),
      'read only',
    );
    if (unplaced.length === 0 || (tree && tree.lineage !== lineage.epoch)) return undefined;
    const begun = tree ? undefined : begin(tenantId, lineage, memory);
    const before = tree ?? begun?.tree;
    const from = tree ? (await cache.load([tree])).get(treeName(tree)) : GrowingTree.empty();
    if (!from || !before) return undefined;
    const first = begun ? [entryLeaf(begun.entry)] : [];
    const { tree: growing, ...added } = from.append([
      ...first,
      ...unplaced.map(({ id, entry }) => entryLeaf(entry, id)),
    ]);
    const after = { ...before, size: growing.size };
    await sealing(database, async (tx) => {
      const ids = unplaced.map(({ id }) => id);
      await Promise.all([
        holdSealer(tx, lease, lineage),
        insertTrees(tx, begun ? [begun] : []),
        writeChanges(tx, [{ before, after, ...added }]),
        entries.place(tx, before.epoch, from.size + first.length, ids),
      ]);
    });
    cache.keep(after, growing);
    const { epoch, size } = after;
    return { tenantId, epoch, size, root: growing.root(), oldestAtMs: undefined };
  }

  /** Proves to each entry that it is under the last checkpoint. */
  async certify(): Promise<void> {
    const { database, entries, lease, lineage, memory } = this.options;
    const signed = memory.newest(entries.tenantId);
    if (!signed) return;
    await sealing(database, async (tx) => {
      const uncertified = await entries.listUncertified(tx, signed.epoch, signed.size, ENTRIES_MAX);
      if (uncertified.length === 0) return;
      await holdSealer(tx, lease, lineage);
      const reader = readerOf(tx, signed);
      const certificates: { id: string; certificate: string }[] = [];
      for (const { id, entry, leaf } of uncertified) {
        const proof = await inclusionProof(reader, leaf, signed.size);
        const file = { index: leaf, proof, checkpoint: signed.note, extra: Buffer.from(entry) };
        certificates.push({ id, certificate: formatProofFile(file) });
      }
      await entries.certify(tx, certificates);
    });
  }
}

function readerOf(tx: SystemTx, tree: TreeKey): TileReader {
  return {
    readTiles: async (tiles) => {
      const found = (await readTiles(tx, [{ tree, tiles }])).get(treeName(tree));
      return tiles.map((tile) => found?.get(tilePlace(tile)) ?? Buffer.alloc(0));
    },
  };
}
