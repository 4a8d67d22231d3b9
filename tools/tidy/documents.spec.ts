import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readLibEdges, withGraph } from '../graph';
import { describeRule, expectTidy, type Rule } from './rule';
import { lineAt, readTree, root, type TreeFile } from './tree';

const tree = readTree();

/** Code is blanked, not cut, so that line numbers stay. */
const blankCode = (markdown: string): string =>
  markdown.replaceAll(/^(```|~~~)[\s\S]*?^\1|`[^`\n]*`/gm, (code) => code.replaceAll(/[^\n]/g, ' '));

/** The anchor that GitHub gives a heading. */
const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-');

function anchorsOf(markdown: string): Set<string> {
  const seen = new Map<string, number>();
  // Fences are cut here: a line of shell that begins with # is no heading. Inline code belongs to its heading.
  const prose = markdown.replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, '');
  return new Set(
    [...prose.matchAll(/^#{1,6}\s+(.*)$/gm)].map(([, heading = '']) => {
      const anchor = anchorOf(heading);
      const repeated = seen.get(anchor) ?? 0;
      seen.set(anchor, repeated + 1);
      return repeated === 0 ? anchor : `${anchor}-${repeated}`;
    }),
  );
}

function resolves(target: string, from: TreeFile, files: readonly TreeFile[]): boolean {
  if (/^(https?:|mailto:)/.test(target)) return true;
  const [file = '', anchor] = target.split('#');
  const wanted = file === '' ? from.path : path.posix.join(path.posix.dirname(from.path), decodeURI(file));
  const folder = wanted.replace(/\/$/, '');
  const known = files.find((each) => each.path === wanted);
  if (anchor !== undefined) return known !== undefined && anchorsOf(known.text).has(anchor);
  return (
    known !== undefined ||
    files.some((each) => each.path.startsWith(`${folder}/`)) ||
    existsSync(path.join(root, wanted))
  );
}

const links: Rule = (files) =>
  files
    .filter((file) => file.path.endsWith('.md'))
    .flatMap((file) => {
      const prose = blankCode(file.text);
      return [...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s+(\S+)/gm)]
        .map((match) => ({ target: match[1] ?? match[2] ?? '', line: lineAt(prose, match.index) }))
        .filter(({ target }) => !resolves(target, file, files))
        .map(({ target, line }) => `${file.path}:${line} ${target}`);
    });

describeRule('Links in documents resolve', tree, {
  rule: links,
  refused: [
    { 'a.md': 'See [b](nowhere/b.md).' },
    { 'a.md': 'See [b](#nowhere).\n\n# Here' },
    { 'docs/a.md': 'See [b](b.md#nowhere).', 'docs/b.md': '# Here' },
    { 'a.md': '[b]: nowhere/b.md' },
  ],
  accepted: [
    {
      'docs/a.md': 'See [b](../libs/b.md#how-it-is-born), [c](../libs/).',
      'libs/b.md': '## How it is `born`!',
    },
    { 'a.md': 'See [the site](https://example.org). Not a link: `[a](b.md)`.\n\n```\n[a](b.md)\n```\n' },
  ],
  advice: 'Correct the path or the anchor.',
});

describe('The graph in libs/README.md', () => {
  const document = readFileSync(path.join(root, 'libs/README.md'), 'utf8');

  test('is seen to change when an edge does', () => {
    const edges = new Map([
      ['modules/ledger', ['kernel']],
      ['kernel', []],
    ]);
    const more = new Map([
      ['modules/ledger', ['kernel', 'platform/database']],
      ['kernel', []],
    ]);
    expect(withGraph(document, edges)).not.toBe(withGraph(document, more));
  });

  test('is what the source says', () => {
    expectTidy(
      withGraph(document, readLibEdges(root)) === document ? [] : ['libs/README.md'],
      'Run `npm run graph`.',
    );
  }, 30_000);
});
