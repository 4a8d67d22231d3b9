import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ISOLATION_RULES } from './rules';

describe('ISOLATION_RULES', () => {
  const readme = readFileSync(join(__dirname, '../../README.md'), 'utf8');

  it('numbers 26 rows from 1', () => {
    expect(ISOLATION_RULES.map(({ rule }) => rule)).toEqual(
      Array.from({ length: 26 }, (_, index) => index + 1),
    );
  });

  it.each(ISOLATION_RULES)('is row $rule of the README, with its guard', ({ rule, guard }) => {
    const rows = readme.split('\n').filter((line) => line.startsWith(`| ${rule} |`));
    expect(rows.join('\n')).toContain(basename(guard));
  });
});
