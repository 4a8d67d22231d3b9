import { HASH_BYTES, nodeHash, sameHash } from './hashing';
import { type Count, toBigInt } from './sizes';
import { check } from './tlog.errors';

/** What says that a leaf is in a tree. */
export interface InclusionClaim {
  readonly leafHash: Uint8Array;
  readonly index: Count;
  readonly size: Count;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** What says that a tree is a later state of another. */
export interface ConsistencyClaim {
  readonly oldSize: Count;
  readonly oldRoot: Uint8Array;
  readonly newSize: Count;
  readonly newRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

function checkHashes(hashes: readonly Uint8Array[]): void {
  check(
    hashes.every((hash) => hash.length === HASH_BYTES),
    'wrong_proof',
    'A hash has 32 bytes',
  );
}

/**
 * Throws `wrong_proof` unless the leaf is the one at `index` of the tree with this size and root (RFC 9162 section
 * 2.1.3.2). A proof is as long as the place asks for, no hash more or less.
 */
export function verifyInclusion(claim: InclusionClaim): void {
  check(sameHash(rootFromInclusion(claim), claim.root), 'wrong_proof', 'The proof leads to another root');
}

/** The root that an inclusion proof leads to. Throws `wrong_proof` if there is no such place or no such proof. */
export function rootFromInclusion({ leafHash, index, size, proof }: Omit<InclusionClaim, 'root'>): Buffer {
  let place = toBigInt(index, 'The index');
  check(place < toBigInt(size, 'The size'), 'wrong_proof', 'The index is beyond the tree');
  checkHashes([leafHash, ...proof]);
  let last = toBigInt(size, 'The size') - 1n;
  let hash: Buffer = Buffer.from(leafHash);
  for (const sibling of proof) {
    check(last > 0n, 'wrong_proof', 'The proof is too long');
    if (place % 2n === 1n || place === last) {
      hash = nodeHash(sibling, hash);
      // The last of a row that has no sibling goes up as it is.
      while (place % 2n === 0n && place > 0n) [place, last] = [place / 2n, last / 2n];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [place, last] = [place / 2n, last / 2n];
  }
  check(last === 0n, 'wrong_proof', 'The proof is too short');
  return hash;
}

/**
 * Throws `wrong_proof` unless the new tree begins with the leaves of the old one (RFC 9162 section 2.1.4.2).
 *
 * Between equal sizes the proof is empty and the roots are the same. From a tree without leaves there is nothing to
 * prove, and so nothing is accepted: who starts there has to say so, not to call this.
 */
export function verifyConsistency({ oldSize, oldRoot, newSize, newRoot, proof }: ConsistencyClaim): void {
  const before = toBigInt(oldSize, 'The old size');
  const after = toBigInt(newSize, 'The new size');
  checkHashes(proof);
  check(before <= after, 'wrong_proof', 'The new tree is smaller than the old one');
  check(before > 0n, 'wrong_proof', 'Every tree is a later state of the empty one');
  if (before === after) {
    check(proof.length === 0, 'wrong_proof', 'Trees of one size need no proof');
    check(sameHash(oldRoot, newRoot), 'wrong_proof', 'Trees of one size have different roots');
    return;
  }
  checkHashes([oldRoot, newRoot]);
  check(proof.length > 0, 'wrong_proof', 'The proof is empty');
  const isPerfect = (before & (before - 1n)) === 0n;
  followConsistency(before, after, isPerfect ? [oldRoot, ...proof] : proof, { oldRoot, newRoot });
}

function followConsistency(
  before: bigint,
  after: bigint,
  [seed, ...path]: readonly Uint8Array[],
  { oldRoot, newRoot }: Pick<ConsistencyClaim, 'oldRoot' | 'newRoot'>,
): void {
  let [place, last] = [before - 1n, after - 1n];
  while (place % 2n === 1n) [place, last] = [place / 2n, last / 2n];
  let old: Buffer = Buffer.from(seed ?? oldRoot);
  let grown = old;
  for (const hash of path) {
    check(last > 0n, 'wrong_proof', 'The proof is too long');
    if (place % 2n === 1n || place === last) {
      old = nodeHash(hash, old);
      grown = nodeHash(hash, grown);
      while (place % 2n === 0n && place > 0n) [place, last] = [place / 2n, last / 2n];
    } else {
      grown = nodeHash(grown, hash);
    }
    [place, last] = [place / 2n, last / 2n];
  }
  check(last === 0n, 'wrong_proof', 'The proof is too short');
  check(sameHash(old, oldRoot), 'wrong_proof', 'The proof does not lead to the old root');
  check(sameHash(grown, newRoot), 'wrong_proof', 'The proof does not lead to the new root');
}
