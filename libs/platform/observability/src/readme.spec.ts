import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { logFields } from './logger';

const root = join(__dirname, '../../../..');
const readmeFile = join(__dirname, '../README.md');

/** Metrics are declared all over the libs, each in the file that counts; so they are found in the sources. */
function declaredMetrics(): Map<string, string> {
  const files = globSync('{apps,libs}/**/src/**/*.ts', { cwd: root }).filter(
    (file) => !file.endsWith('.spec.ts'),
  );
  const source = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
  const found = [...source.matchAll(/name: '(holdfast_\w+)',\s*help:\s*(['"`])(.*?)\2/g)];
  const metrics = found.map(([, name = '', , help = '']) => [name, help] as const);
  return new Map(metrics.toSorted(([one], [other]) => one.localeCompare(other)));
}

function table(heading: string, rows: Iterable<readonly [string, string]>): string {
  return [
    `| ${heading} | says |`,
    '|---|---|',
    ...[...rows].map(([name, says]) => `| \`${name}\` | ${says} |`),
  ].join('\n');
}

/** Prettier aligns tables and escapes; only their text counts. */
const bare = (text: string): string => text.replaceAll(/[ -]+/g, ' ');

describe('The README', () => {
  test('lists every metric and every log field, with what each says', () => {
    const readme = readFileSync(readmeFile, 'utf8');
    const sections = {
      metrics: table('metric', declaredMetrics()),
      fields: table('field', Object.entries(logFields)),
    };
    const wanted = Object.entries(sections).reduce((text, [name, content]) => {
      const section = new RegExp(`(<!-- ${name}: .*? -->\\n)[\\s\\S]*?(<!-- /${name} -->)`);
      return text.replace(section, (_, open, close) => `${open}\n${content}\n\n${close}`);
    }, readme);
    if (process.env['HOLDFAST_WRITE_DOCS']) writeFileSync(readmeFile, wanted);
    else expect(bare(readme)).toBe(bare(wanted));
  });

  test('is about metrics that are found', () => {
    expect(declaredMetrics().get('holdfast_health_check_ok')).toMatch(/readiness/);
  });
});
