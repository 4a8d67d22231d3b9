import { emptyRoot, HASH_BYTES, nodeHash } from './hashing';
import { type Count, toNumber } from './sizes';
import { check } from './tlog.errors';

/** How many hashes the frontier of a tree of this size has: the ones in its binary representation. */
function onesOf(size: number): number {
  let ones = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2;
  return ones;
}

/**
 * The right edge of a growing tree: the roots of the perfect subtrees that it consists of, largest first. It is all
 * that appending and the root need, in at most 53 hashes, whatever the size.
 *
 * Appending costs one inner hash on average. This is one of two ways to the root that share nothing but `nodeHash`; the
 * other is `rootFromTiles`.
 */
export class Frontier {
  private constructor(
    private leaves: number,
    private readonly subtrees: Buffer[],
  ) {}

  /** The frontier of the tree without leaves. */
  static empty(): Frontier {
    return new Frontier(0, []);
  }

  /** Takes up a tree where `hashes` left it. Refuses another number of hashes than a tree of this size has. */
  static from(size: Count, hashes: readonly Uint8Array[]): Frontier {
    const leaves = toNumber(size, 'The size');
    check(hashes.length === onesOf(leaves), 'bad_argument', `A tree of ${leaves} has another frontier`);
    check(
      hashes.every((hash) => hash.length === HASH_BYTES),
      'bad_argument',
      'A hash has 32 bytes',
    );
    return new Frontier(
      leaves,
      hashes.map((hash) => Buffer.from(hash)),
    );
  }

  /** Number of leaves. */
  get size(): number {
    return this.leaves;
  }

  /** What `from` takes to go on from here. */
  get hashes(): readonly Buffer[] {
    return [...this.subtrees];
  }

  /** Adds a leaf by its hash. */
  append(leafHash: Uint8Array): void {
    check(leafHash.length === HASH_BYTES, 'bad_argument', 'A hash has 32 bytes');
    check(this.leaves < Number.MAX_SAFE_INTEGER, 'too_large', 'A tree has at most 2^53 - 1 leaves');
    let right: Buffer = Buffer.from(leafHash);
    // Each trailing one of the size is a perfect subtree as large as the one that stands on the right of it.
    for (let rest = this.leaves; rest % 2 === 1; rest = (rest - 1) / 2) {
      right = nodeHash(this.subtrees.pop() as Buffer, right);
    }
    this.subtrees.push(right);
    this.leaves += 1;
  }

  /** The root of the tree as it stands. */
  root(): Buffer {
    const [last, ...larger] = this.subtrees.toReversed();
    return last ? larger.reduce((right, left) => nodeHash(left, right), last) : emptyRoot();
  }

  /** A frontier that goes on from here by itself. */
  copy(): Frontier {
    return new Frontier(this.leaves, [...this.subtrees]);
  }
}
