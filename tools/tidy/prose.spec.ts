import { createProgram } from '../../apps/cli/src/program';
import { describeRule, type Rule } from './rule';
import { lineAt, readTree, type TreeFile } from './tree';

const tree = readTree();

/** Documents that people follow step by step; a name that is wrong there costs them an evening. */
const guides = /^(README|CONTRIBUTING|CHANGELOG)\.md$|^deploy\/.*\.(md|ya?ml|sh)$|(^|\/)Dockerfile$/;

/** Each verb, with the verbs below it: `key` with create, list and so on. */
const verbs = new Map(
  createProgram().commands.map((verb) => [verb.name(), verb.commands.map((each) => each.name())]),
);

/** Looks at each name that a pattern finds in the guides. */
function names(
  files: readonly TreeFile[],
  pattern: RegExp,
  isWrong: (...groups: string[]) => boolean,
): string[] {
  return files
    .filter(({ path }) => guides.test(path))
    .flatMap(({ path, text }) =>
      [...text.matchAll(pattern)]
        .filter(([, ...groups]) => isWrong(...groups))
        .map((match) => `${path}:${lineAt(text, match.index)} ${match[0]}`),
    );
}

const variables: Rule = (files) => {
  const sources = files.filter(({ path }) =>
    /^libs\/platform\/config\/src\/[a-z-]+\.ts$|^libs\/.*\.spec\.ts$/.test(path),
  );
  return names(
    files,
    /\b((?:HOLDFAST|DATABASE|CLICKHOUSE|REDIS|OPERATOR|OTEL|OIDC)_[A-Z_]*[A-Z])\b/g,
    (name = '') => !sources.some(({ text }) => text.includes(`'${name.replace(/_FILE$/, '')}'`)),
  );
};

const commands: Rule = (files) =>
  names(files, /(?:`|npx )holdfast ([a-z-]+)(?: ([a-z-]+))?/g, (verb = '', below = '') => {
    const known = verbs.get(verb);
    return !known || (known.length > 0 && below !== '' && !known.includes(below));
  });

const identifiers: Rule = (files) => {
  const sources = files.filter(({ path }) => /\.(ts|sql)$/.test(path) && !path.startsWith('tools/tidy/'));
  return names(
    files,
    /\b(holdfast_[a-z_]+[a-z])\b/g,
    (name = '') => !sources.some(({ text }) => text.includes(name)),
  );
};

const scripts: Rule = (files) => {
  const known =
    /"scripts": \{([^}]*)\}/.exec(files.find(({ path }) => path === 'package.json')?.text ?? '')?.[1] ?? '';
  return names(files, /\bnpm run ([a-z:]+)/g, (name = '') => !known.includes(`"${name}":`));
};

const configured = { 'libs/platform/config/src/variables.ts': "env: 'HOLDFAST_PORT'" };

describeRule('Guides name variables that exist', tree, {
  rule: variables,
  refused: [
    { ...configured, 'README.md': 'Set `HOLDFAST_PORTS`.' },
    { ...configured, 'deploy/a.yaml': 'HOLDFAST_PORT_FILES: x' },
  ],
  accepted: [
    {
      ...configured,
      'README.md': '`HOLDFAST_PORT`',
      'deploy/a.yaml': 'HOLDFAST_PORT_FILE: /run/secrets/port',
    },
  ],
  advice: 'The table of variables is in libs/platform/config/README.md.',
});

describeRule('Guides name verbs that exist', tree, {
  rule: commands,
  refused: [{ 'README.md': 'Run `holdfast sweep`.' }, { 'deploy/a.md': 'npx holdfast key make acme' }],
  accepted: [
    { 'README.md': '`holdfast key create acme`, `holdfast key`, `holdfast doctor now`, npx holdfast dev' },
  ],
  advice: '`npx holdfast --help` lists them.',
});

describeRule('Guides name roles and metrics that exist', tree, {
  rule: identifiers,
  refused: [{ 'README.md': 'See `holdfast_nothing`.' }],
  accepted: [{ 'README.md': '`holdfast_app`', 'prisma/a.sql': 'create role holdfast_app' }],
  advice: 'Metrics are listed in libs/platform/observability/README.md, roles in the first migration.',
});

describeRule('Guides name scripts that exist', tree, {
  rule: scripts,
  refused: [{ 'package.json': '{ "scripts": { "check": "x" } }', 'README.md': '`npm run chek`' }],
  accepted: [{ 'package.json': '{ "scripts": { "check": "x" } }', 'README.md': '`npm run check`' }],
  advice: 'Scripts are in package.json.',
});
