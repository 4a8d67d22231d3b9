import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const README = readFileSync(join(__dirname, '../../README.md'), 'utf8');
const SPECS = ['semantics.int.spec.ts', 'two-nodes.int.spec.ts'].map((name) =>
  readFileSync(join(__dirname, name), 'utf8'),
);

/** First cells of the table under `## Semantics`. */
const rules = (/## Semantics\n([\s\S]*?)\n## /.exec(README)?.[1] ?? '')
  .split('\n')
  .filter((line) => /^\| (?!what the ledger does|-)/.test(line))
  .map((line) => line.split('|')[1]?.trim() ?? '');
const titles = (spec = ''): string[] =>
  [...spec.matchAll(/ it\(\s*['"](.*)['"],/g)].map(([, title = '']) => title);

describe('The table of semantics in the README', () => {
  it('has a row for each test of semantics, and a test for each row', () => {
    const [own, ofNodes] = [titles(SPECS[0]), titles(SPECS[1])];
    expect(own.length).toBeGreaterThan(20);
    expect(rules).toEqual(expect.arrayContaining(own));
    expect([...own, ...ofNodes]).toEqual(expect.arrayContaining(rules));
  });
});
