import { emptyRoot, nodeHash } from './hashing';
import { splitOf } from './tile-proofs';
import { check } from './tlog.errors';

/** A proof of each leaf costs as many hashes as the tree is high: for more leaves than these, tiles are the better way. */
const LEAVES_MAX = 65_536;

/** A tree that stands in memory as a whole: its root, and the inclusion proof of each leaf, as `verifyInclusion` takes it. */
export interface ProvenTree {
  readonly root: Buffer;
  /** In the order of the leaves. */
  readonly proofs: readonly (readonly Buffer[])[];
}

/** Makes the tree of these leaves, at most 65,536, by the definition of RFC 6962 section 2.1. */
export function proveAll(leafHashes: readonly Buffer[]): ProvenTree {
  check(leafHashes.length <= LEAVES_MAX, 'bad_argument', `There are more than ${LEAVES_MAX} leaves`);
  const proofs = leafHashes.map((): Buffer[] => []);
  const treeHash = (from: number, to: number): Buffer => {
    if (to - from === 1) return leafHashes[from] as Buffer;
    const middle = from + splitOf(to - from);
    const [left, right] = [treeHash(from, middle), treeHash(middle, to)];
    // Proofs go upwards, as the calls return.
    for (let leaf = from; leaf < to; leaf++) proofs[leaf]?.push(leaf < middle ? right : left);
    return nodeHash(left, right);
  };
  return { root: leafHashes.length === 0 ? emptyRoot() : treeHash(0, leafHashes.length), proofs };
}
