import { type Link, prune, treeOf } from './chain-tree';

const link = (id: string, cause: string | null = null): Link => ({ id, causation_id: cause });
const shown = (links: readonly Link[]): string[] =>
  treeOf(links).map(({ link: { id }, depth }) => `${' '.repeat(depth)}${id}`);

describe('The tree of causes', () => {
  it('has each event behind its cause, siblings by time', () => {
    expect(shown([link('d', 'b'), link('c', 'a'), link('b', 'a'), link('a'), link('e')])).toEqual([
      'a',
      ' b',
      '  d',
      ' c',
      'e',
    ]);
  });

  it('begins anew at what was caused by something that is no event here', () => {
    expect(shown([link('b', 'elsewhere'), link('c', 'b')])).toEqual(['b', ' c']);
  });

  it('shows each once where causes point in a circle, or to themselves', () => {
    expect(shown([link('a', 'b'), link('b', 'a'), link('c', 'a')]).map((line) => line.trim())).toEqual([
      'a',
      'b',
      'c',
    ]);
    expect(shown([link('a', 'a')])).toEqual(['a']);
    expect(shown([link('a'), link('a')])).toEqual(['a']);
  });

  it('takes a chain of 100,000', () => {
    const name = (n: number): string => String(n).padStart(6, '0');
    const links = Array.from({ length: 100_000 }, (_, n) => link(name(n), n === 0 ? null : name(n - 1)));
    expect(treeOf(links).at(-1)).toMatchObject({ depth: 99_999 });
  });

  it('is cut far from the event that is asked about', () => {
    const siblings = Array.from({ length: 20 }, (_, n) => link(`s${n}`));
    const tree = treeOf([link('a'), link('b', 'a'), link('c', 'b'), link('z', 'a'), ...siblings]);
    const pruned = prune(tree, 'b', 5).map(({ link: { id } }) => id);
    expect(pruned).toHaveLength(5);
    expect(pruned.slice(0, 3)).toEqual(['a', 'b', 'c']);
    expect(prune(tree, 'b', 100)).toHaveLength(24);
    expect(prune(tree, 'b', 1).map(({ link: { id } }) => id)).toEqual(['b']);
  });
});
