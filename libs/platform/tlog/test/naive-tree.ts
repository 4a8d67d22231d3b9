import { createHash } from 'node:crypto';

const sha256 = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/**
 * RFC 6962 section 2.1 word for word, over the entries themselves, with nothing of the library: what the library is
 * compared with.
 */
export class NaiveTree {
  private readonly known = new Map<string, Buffer>();

  constructor(readonly entries: readonly Uint8Array[]) {}

  leaf(index: number): Buffer {
    return sha256(Buffer.of(0), this.entries[index] ?? Buffer.alloc(0));
  }

  root(from = 0, to = this.entries.length): Buffer {
    const key = `${from}-${to}`;
    const hash = this.known.get(key) ?? this.hash(from, to);
    this.known.set(key, hash);
    return hash;
  }

  private hash(from: number, to: number): Buffer {
    if (to === from) return sha256();
    if (to - from === 1) return this.leaf(from);
    const middle = from + split(to - from);
    return sha256(Buffer.of(1), this.root(from, middle), this.root(middle, to));
  }

  /** PATH(index, D[from:to]). */
  path(index: number, to: number, from = 0): Buffer[] {
    if (to - from === 1) return [];
    const middle = from + split(to - from);
    return index < middle
      ? [...this.path(index, middle, from), this.root(middle, to)]
      : [...this.path(index, to, middle), this.root(from, middle)];
  }

  /** SUBPROOF(size, D[from:to], whole), where size counts from the beginning of the tree. */
  consistency(size: number, to: number, from = 0, whole = true): Buffer[] {
    if (size === to) return whole ? [] : [this.root(from, to)];
    const middle = from + split(to - from);
    return size <= middle
      ? [...this.consistency(size, middle, from, whole), this.root(middle, to)]
      : [...this.consistency(size, to, middle, false), this.root(from, middle)];
  }
}

function split(leaves: number): number {
  let half = 1;
  while (half * 2 < leaves) half *= 2;
  return half;
}

/** Entries that differ, from the empty one on. */
export const entriesOf = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, index) => Buffer.from(index === 0 ? '' : `entry ${index}`));
