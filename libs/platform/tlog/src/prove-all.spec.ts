import { entriesOf, NaiveTree } from '../test/naive-tree';
import { refused } from '../test/refused';
import { emptyRoot, leafHash } from './hashing';
import { proveAll } from './prove-all';

describe('A tree in memory', () => {
  test('is that of the definition, with the proof of every leaf, at every size up to 20', () => {
    const naive = new NaiveTree(entriesOf(20));
    const leaves = naive.entries.map((entry) => leafHash(entry));
    for (let size = 1; size <= 20; size++) {
      const { root, proofs } = proveAll(leaves.slice(0, size));
      expect(root).toEqual(naive.root(0, size));
      expect(proofs).toEqual(Array.from({ length: size }, (_, index) => naive.path(index, size)));
    }
  });

  test('may be empty, and has its limit', () => {
    expect(proveAll([])).toEqual({ root: emptyRoot(), proofs: [] });
    expect(() => proveAll(Array.from({ length: 65_537 }, () => emptyRoot()))).toThrow(
      refused('bad_argument'),
    );
  });
});
