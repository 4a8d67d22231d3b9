import ts from 'typescript';
import { describeRule, expectTidy, type Rule } from './rule';
import { nodesOf, placeOf } from './syntax';
import { isTypeScript, readRootEntries, readTree, type TreeFile } from './tree';

const tree = readTree();

const allowedAtRoot = new Set(
  [
    'README.md LICENSE CHANGELOG.md CONTRIBUTING.md',
    'package.json package-lock.json nest-cli.json tsconfig.json tsconfig.base.json jest.config.js',
    'apps libs prisma deploy tools',
  ].flatMap((line) => line.split(' ')),
);
const folders = new Set(
  [
    'base common constants controllers core dto dtos entities enums helper helpers impl interfaces lib managers misc',
    'models providers repositories resolvers service services shared types util utils',
  ].flatMap((line) => line.split(' ')),
);
const emptyWords = new Set('data info util utils helper helpers manager common base misc impl'.split(' '));
/** Names that a specification gives: Relay's cursor connections. */
const prescribedNames = new Set(['PageInfo']);
const abbreviations = new Set(
  'acct btn cfg cmd conf desc evt idx mgr msg num pwd qty req res svc tmp txn usr'.split(' '),
);
const kinds = new Set(
  [
    'command query saga listener job controller resolver module sql events aggregates errors config spec bench',
    // What Nest itself calls the parts of its request pipeline.
    'filter guard interceptor pipe',
    'int.spec e2e.spec command.spec command.int.spec query.spec query.int.spec sql.spec sql.int.spec d',
  ].flatMap((line) => line.split(' ')),
);

const rootEntries = (names: readonly string[]): string[] =>
  names.filter((name) => !name.startsWith('.') && !allowedAtRoot.has(name));

const folderNames: Rule = (files) => {
  const all = files.flatMap(({ path }) => {
    const parts = path.split('/').slice(0, -1);
    return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  });
  return [...new Set(all)].filter((folder) => folders.has(folder.split('/').at(-1) ?? ''));
};

const fileNameOf = (path: string): string => (path.split('/').at(-1) ?? '').replace(/\.ts$/, '');

const fileNames: Rule = (files) =>
  files
    .filter(({ path }) => isTypeScript(path))
    .filter(({ path }) =>
      fileNameOf(path)
        .split(/[-.]/)
        .some((word) => emptyWords.has(word) || abbreviations.has(word)),
    )
    .map(({ path }) => path);

const isKnownKind = (kind: string): boolean =>
  kind === '' || kinds.has(kind) || kinds.has(kind.replace(/^[a-z]+\.(?=(int\.|e2e\.)?spec$)/, ''));

const fileKinds: Rule = (files) =>
  files
    .filter(({ path }) => isTypeScript(path))
    .filter(({ path }) => {
      const [subject = '', ...kind] = fileNameOf(path).split('.');
      return !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(subject) || !isKnownKind(kind.join('.'));
    })
    .map(({ path }) => path);

type Named = ts.ClassDeclaration | ts.InterfaceDeclaration | ts.TypeAliasDeclaration | ts.FunctionDeclaration;
const isNamed = (node: ts.Node): node is Named =>
  ts.isClassDeclaration(node) ||
  ts.isInterfaceDeclaration(node) ||
  ts.isTypeAliasDeclaration(node) ||
  ts.isFunctionDeclaration(node);

const wordsOf = (name: string): string[] => name.split(/(?=[A-Z])/).map((word) => word.toLowerCase());

function isEmptyName(node: Named): boolean {
  const name = node.name?.text ?? '';
  if (prescribedNames.has(name)) return false;
  if (ts.isInterfaceDeclaration(node) && /^I[A-Z][a-z]/.test(name)) return true;
  return wordsOf(name).some((word) => emptyWords.has(word));
}

const declarations: Rule = (files) =>
  files
    .filter(({ path }) => isTypeScript(path))
    .flatMap((file: TreeFile) =>
      nodesOf(file, isNamed)
        .filter(isEmptyName)
        .map((node) => `${placeOf(file, node)} ${node.name?.text}`),
    );

const shouldTitle = /\b(?:it|test|describe)(?:\.each\([^)]*\))?\(\s*['"`][^'"`\n]*\b(?:should|works)\b/g;

const titles: Rule = (files) =>
  files
    .filter(({ path }) => path.endsWith('.spec.ts') && !path.startsWith('tools/tidy/'))
    .flatMap(({ path, text }) => [...text.matchAll(shouldTitle)].map((match) => `${path} ${match[0]}`));

describe('Only a few files stand at the root', () => {
  const advice =
    'Move these to the part that they belong to; the root holds tool configs and the first documents.';

  test('refuses what breaks it', () =>
    expect(rootEntries(['PLAN.md', 'package.json', '.swcrc'])).toEqual(['PLAN.md']));

  test('holds over the tree', () => expectTidy(rootEntries(readRootEntries()), advice));
});

describeRule('A folder is a subject, not a kind', tree, {
  rule: folderNames,
  refused: [{ 'libs/kernel/src/utils/a.ts': '' }, { 'libs/modules/ledger/src/dto/x/a.ts': '' }],
  accepted: [{ 'libs/modules/ledger/src/accounts/account.ts': '' }],
  advice: 'Name these folders after what their files are about, or put the files beside those that use them.',
});

describeRule('A file name says something', tree, {
  rule: fileNames,
  refused: [
    { 'libs/kernel/src/date-utils.ts': '' },
    { 'libs/kernel/src/base.ts': '' },
    { 'libs/kernel/src/msg.ts': '' },
  ],
  accepted: [{ 'libs/kernel/src/database.ts': '' }],
  advice: 'These names hold a word that would fit any file, or an abbreviation. Name the subject.',
});

describeRule('A file name is kebab-case and its suffix a known kind', tree, {
  rule: fileKinds,
  refused: [
    { 'libs/kernel/src/openAccount.ts': '' },
    { 'libs/kernel/src/account.service.ts': '' },
    { 'libs/kernel/src/account.repository.ts': '' },
  ],
  accepted: [
    {
      'libs/modules/ledger/src/open-account.command.ts': '',
      'libs/modules/ledger/src/open-account.command.int.spec.ts': '',
      'libs/modules/ledger/src/account.ts': '',
      'apps/api/test/journey.e2e.spec.ts': '',
      'libs/platform/http/src/health.controller.int.spec.ts': '',
    },
  ],
  advice: 'The kinds are in house style; no kind means a model.',
});

describeRule('A declared name says something', tree, {
  rule: declarations,
  refused: [
    { 'libs/kernel/src/a.ts': 'export class AccountManager {}' },
    { 'libs/kernel/src/a.ts': 'export interface IClock {}' },
    { 'libs/kernel/src/a.ts': 'export function toData(): void {}' },
  ],
  accepted: [
    { 'libs/kernel/src/a.ts': 'export class Database {}\nexport interface Id {}\nexport class PageInfo {}' },
  ],
  advice: 'These names hold a word that would fit anything. Say what it is or does.',
});

describeRule('A test title states a fact', tree, {
  rule: titles,
  refused: [{ 'libs/kernel/src/a.spec.ts': "test('should post', () => {});" }],
  accepted: [{ 'libs/kernel/src/a.spec.ts': "test('posts once', () => {});" }],
  advice: 'Say what is true, without "should" and "works".',
});
