import ts from 'typescript';
import { describeRule, type Rule } from './rule';
import { nodesOf, parse, placeOf } from './syntax';
import { isTest, isTypeScript, matches, readTree, type TreeFile } from './tree';

const tree = readTree();

/** This file has to name what it refuses. */
const self = 'tools/tidy/text.spec.ts';

const unfinished = /\b(?:TODO|FIXME|XXX|HACK)\b.*/g;
const isProgram = (path: string): boolean =>
  /\.(ts|js|cjs|mjs|sql|prisma|ya?ml|sh|toml)$|\.ci\/run$/.test(path);

const noUnfinished: Rule = (files) =>
  files.filter(({ path }) => isProgram(path) && path !== self).flatMap((file) => matches(file, unfinished));

const focused =
  /\b(?:it|test|describe)\.(?:only|skip|todo)\b(?=[.(`])|\b(?:fit|xit|fdescribe|xdescribe|xtest)\(/g;

const noFocused: Rule = (files) =>
  files
    .filter(({ path }) => path.endsWith('.spec.ts') && path !== self)
    .flatMap((file) => matches(file, focused));

const readsEnvironment = (node: ts.Node): node is ts.PropertyAccessExpression | ts.ImportDeclaration =>
  (ts.isPropertyAccessExpression(node) && node.getText() === 'process.env') ||
  (ts.isImportDeclaration(node) && /\benv\b.*'(node:)?process'/.test(node.getText()));

/** Programs that start before configuration exists, and tests, may look at the environment themselves. */
const mayReadEnvironment = (path: string): boolean =>
  isTest(path) || /^(tools|libs\/platform\/config)\/|^apps\/[^/]+\/bin\//.test(path);

const environment: Rule = (files) =>
  files
    .filter(({ path }) => isTypeScript(path) && !mayReadEnvironment(path))
    .flatMap((file) => nodesOf(file, readsEnvironment).map((node) => placeOf(file, node)));

/** A comment inside, on the line or above it counts as the reason. */
function hasReason(file: TreeFile, node: ts.Node): boolean {
  const source = parse(file);
  const line = source.getLineAndCharacterOfPosition(node.getStart()).line;
  const around = file.text.split('\n').slice(Math.max(0, line - 1), line + 1);
  return (
    node.getText().includes('//') ||
    node.getText().includes('/*') ||
    around.some((each) => each.includes('//'))
  );
}

const isEmptyBlock = (node: ts.Node): boolean => ts.isBlock(node) && node.statements.length === 0;
const isNothing = (node: ts.Node): boolean => isEmptyBlock(node) || node.getText() === 'undefined';

const swallows = (node: ts.Node): node is ts.CatchClause | ts.CallExpression => {
  if (ts.isCatchClause(node)) return isEmptyBlock(node.block);
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
  const [handler] = node.arguments;
  return (
    node.expression.name.text === 'catch' &&
    !!handler &&
    ts.isArrowFunction(handler) &&
    isNothing(handler.body)
  );
};

const swallowed: Rule = (files) =>
  files
    .filter(({ path }) => isTypeScript(path))
    .flatMap((file) =>
      nodesOf(file, swallows)
        .filter(
          (node) =>
            !hasReason(file, ts.isCallExpression(node) ? (node.expression.getLastToken() ?? node) : node),
        )
        .map((node) => placeOf(file, node)),
    );

const suppression =
  /(?:ox|es)lint-disable(?!.* -- \S.{9}).*|@ts-(?:ignore|nocheck).*|@ts-expect-error(?!\W+\w.{9}).*/g;

const suppressions: Rule = (files) =>
  files
    .filter(({ path }) => isTypeScript(path) && path !== self)
    .flatMap((file) => matches(file, suppression));

describeRule('Nothing is left unfinished', tree, {
  rule: noUnfinished,
  refused: [{ 'libs/kernel/src/a.ts': '// TODO later' }, { 'prisma/a.sql': '-- FIXME' }],
  accepted: [{ 'libs/kernel/src/a.ts': "const place = 'Hackney';" }],
  advice: 'Do it, or open an issue and delete the remark.',
});

describeRule('Every test runs', tree, {
  rule: noFocused,
  refused: [{ 'libs/a.spec.ts': "test.only('a', run);" }, { 'libs/a.spec.ts': "describe.skip('a', run);" }],
  accepted: [{ 'libs/a.spec.ts': 'const withRedis = redis ? test : test.skip;' }],
  advice:
    'Focused tests hide the others, skipped ones rot. A test that needs a server chooses test or test.skip by it.',
});

describeRule('Only libs/platform/config reads the environment', tree, {
  rule: environment,
  refused: [
    { 'libs/platform/http/src/a.ts': 'const port = process.env.PORT;' },
    { 'apps/api/src/main.ts': "import { env } from 'node:process';" },
  ],
  accepted: [
    {
      'libs/platform/config/src/a.ts': 'read(process.env);',
      'libs/kernel/src/a.spec.ts': 'read(process.env);',
    },
    { 'libs/platform/http/src/a.ts': '// process.env is read elsewhere' },
  ],
  advice: 'Add a field to the schema in libs/platform/config and take the typed value.',
});

describeRule('No error is swallowed without a reason', tree, {
  rule: swallowed,
  refused: [
    { 'libs/kernel/src/a.ts': 'run();\ntry { run(); } catch {}' },
    { 'libs/kernel/src/a.ts': 'run().catch(() => {});' },
    { 'libs/kernel/src/a.ts': 'run().catch(() => undefined);' },
  ],
  accepted: [
    { 'libs/kernel/src/a.ts': 'try { run(); } catch {\n  // Closed already: nothing is lost.\n}' },
    { 'libs/kernel/src/a.ts': 'run().catch(() => {}); // Looked at by commit.' },
    { 'libs/kernel/src/a.ts': 'run().catch((error) => report(error));' },
  ],
  advice: 'Handle the error, let it pass, or say in a comment why nothing is lost.',
});

describeRule('A suppression gives its reason', tree, {
  rule: suppressions,
  refused: [
    { 'libs/kernel/src/a.ts': '// oxlint-disable-next-line no-eval' },
    { 'libs/kernel/src/a.ts': '// @ts-expect-error' },
  ],
  accepted: [
    { 'libs/kernel/src/a.ts': '// oxlint-disable-next-line no-eval -- the sandbox has no other door' },
    { 'libs/kernel/src/a.ts': '// @ts-expect-error: the typings lack the option `pipeline`' },
  ],
  advice: 'Write the reason behind " -- " (lint) or ": " (types).',
});
