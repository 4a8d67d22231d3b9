import { type Database } from '@holdfast/database';
import { edgeTiles } from '@holdfast/tlog';
import { GrowingTree, TilesMissing } from './growing-tree';
import { LogRefused, type Refusals } from './refusals';
import { sealing } from './sealer-lease.sql';
import { readHighSeqs, readTiles, treeName, type Tree } from './trees.sql';

/** Trees whose edges are kept; each is some 16 KiB. */
const KEPT_MAX = 2_000;

/** The right edges of trees, kept from round to round; those that were used last. */
export class TreeCache {
  private readonly kept = new Map<string, GrowingTree>();

  constructor(
    private readonly database: Database,
    private readonly refusals: Refusals,
  ) {}

  /** Keeps a tree as it has been committed. */
  keep(tree: Tree, growing: GrowingTree): void {
    const name = treeName(tree);
    this.kept.delete(name);
    this.kept.set(name, growing);
    const [oldest] = this.kept.keys();
    if (this.kept.size > KEPT_MAX && oldest !== undefined) this.kept.delete(oldest);
  }

  /** The edges of trees, by tree. One whose tiles do not reach its size is refused, and missing in the answer. */
  async load(trees: readonly Tree[]): Promise<ReadonlyMap<string, GrowingTree>> {
    const found = new Map<string, GrowingTree>();
    const absent: Tree[] = [];
    for (const tree of trees) {
      const kept = tree.size === 0 ? GrowingTree.empty() : this.kept.get(treeName(tree));
      if (kept?.size === tree.size) found.set(treeName(tree), kept);
      else absent.push(tree);
    }
    if (absent.length === 0) return found;
    const [tiles, highSeqs] = await sealing(
      this.database,
      async (tx) => {
        const wanted = absent.map((tree) => ({
          tree,
          tiles: edgeTiles(tree.size).map(({ level, index }) => ({ level, index })),
        }));
        return Promise.all([readTiles(tx, wanted), readHighSeqs(tx, absent)]);
      },
      'read only',
    );
    for (const tree of absent) {
      const name = treeName(tree);
      const loaded = this.refusals.guard(tree.tenantId, () =>
        loadedFrom(tree, tiles.get(name) ?? new Map<string, Buffer>(), highSeqs.get(name)),
      );
      if (loaded) found.set(name, loaded);
    }
    return found;
  }
}

function loadedFrom(
  tree: Tree,
  tiles: ReadonlyMap<string, Buffer>,
  highSeq: bigint | undefined,
): GrowingTree {
  try {
    if (highSeq === undefined) throw new TilesMissing('the ids of the last leaves are gone');
    return GrowingTree.from(tree.size, tiles, highSeq);
  } catch (error) {
    if (error instanceof TilesMissing) throw new LogRefused('tiles', error.message);
    throw error;
  }
}
