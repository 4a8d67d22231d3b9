import ts from 'typescript';
import { describeRule, type Rule } from './rule';
import { nodesOf, parse } from './syntax';
import { readTree, type TreeFile } from './tree';

const tree = readTree();
const sections = ['Owns', 'Promises', 'Listens and announces', 'Start reading at', 'Decisions'];

const libsWithCode = (files: readonly TreeFile[]): string[] => [
  ...new Set(
    files.flatMap(({ path }) => /^libs\/(?:platform|modules)\/[^/]+(?=\/src\/)/.exec(path)?.[0] ?? []),
  ),
];

const readmes: Rule = (files) =>
  libsWithCode(files)
    .map((lib) => `${lib}/README.md`)
    .filter((readme) => !files.some(({ path }) => path === readme));

const readmeSections: Rule = (files) =>
  files
    .filter(({ path }) => /^libs\/modules\/[^/]+\/README\.md$/.test(path))
    .flatMap(({ path, text }) =>
      sections
        .filter((section) => !new RegExp(`^## ${section}\\s*$`, 'm').test(text))
        .map((section) => `${path} lacks "## ${section}"`),
    );

const neighbours: Rule = (files) => {
  const paths = new Set(files.map(({ path }) => path));
  return [...paths]
    .filter((path) => path.endsWith('.command.ts'))
    .filter((path) => !['.spec.ts', '.int.spec.ts'].some((kind) => paths.has(path.replace(/\.ts$/, kind))));
};

/** Where a process loads what it goes on with. */
const sagaProcesses = ['apps/api/src/', 'apps/worker/src/', 'apps/cli/src/sagas.ts'];

const loadedSagas: Rule = (files) => {
  const modules = new Set(
    files.flatMap(({ path }) => /^libs\/modules\/([^/]+)\/src\/.*\.saga\.ts$/.exec(path)?.[1] ?? []),
  );
  return [...modules].flatMap((module) => {
    const isLoaded = new RegExp(`^import (?!type )[^;]*'@holdfast/${module}';`, 'm');
    return sagaProcesses
      .filter((place) => !files.some(({ path, text }) => path.startsWith(place) && isLoaded.test(text)))
      .map((place) => `${place} does not import @holdfast/${module}`);
  });
};

function hasDocComment(node: ts.Node): boolean {
  // The doc comment of a constant hangs on the statement, two nodes up.
  const carrier = ts.isVariableDeclaration(node) ? node.parent.parent : node;
  return ts.getJSDocCommentsAndTags(carrier).length > 0;
}

const isDeclaration = (node: ts.Node): node is ts.NamedDeclaration =>
  ts.isClassDeclaration(node) ||
  ts.isInterfaceDeclaration(node) ||
  ts.isTypeAliasDeclaration(node) ||
  ts.isFunctionDeclaration(node) ||
  ts.isEnumDeclaration(node) ||
  ts.isVariableDeclaration(node);

/** Names that a file declares with a doc comment; of a name that is a type and a value, one comment is enough. */
const documentedIn = (file: TreeFile): Set<string> =>
  new Set(
    nodesOf(file, isDeclaration).flatMap((node) => (hasDocComment(node) ? (node.name?.getText() ?? []) : [])),
  );

function undocumentedExports(door: TreeFile, files: readonly TreeFile[]): string[] {
  return parse(door)
    .statements.filter(ts.isExportDeclaration)
    .flatMap((statement) => {
      const from = statement.moduleSpecifier?.getText().slice(1, -1) ?? '';
      const target = files.find(({ path }) => path === door.path.replace('index.ts', `${from.slice(2)}.ts`));
      if (!from.startsWith('./') || !target) return [];
      if (!statement.exportClause)
        return [`${door.path} exports everything of ${from}; name what others need`];
      const documented = documentedIn(target);
      const names = ts.isNamedExports(statement.exportClause) ? statement.exportClause.elements : [];
      return names
        .map((name) => (name.propertyName ?? name.name).getText())
        .filter((name) => !documented.has(name))
        .map((name) => `${target.path} ${name}`);
    });
}

const documentation: Rule = (files) =>
  files
    .filter(({ path }) => /^libs\/.*\/src\/index\.ts$/.test(path))
    .flatMap((door) => undocumentedExports(door, files));

describeRule('Every platform lib and module has a README', tree, {
  rule: readmes,
  refused: [{ 'libs/modules/ledger/src/index.ts': '' }, { 'libs/platform/http/src/index.ts': '' }],
  accepted: [{ 'libs/modules/ledger/src/index.ts': '', 'libs/modules/ledger/README.md': '' }],
  advice:
    'Write one screen: what it is for, what it promises, where to start reading, what was decided and why.',
});

describeRule('The README of a module has the five sections', tree, {
  rule: readmeSections,
  refused: [
    { 'libs/modules/ledger/README.md': '## Owns\n## Promises\n## Listens and announces\n## Decisions\n' },
  ],
  accepted: [{ 'libs/modules/ledger/README.md': sections.map((section) => `## ${section}\n`).join('\n') }],
  advice: `The sections are ${sections.join(', ')}.`,
});

describeRule('Every command has a test beside it', tree, {
  rule: neighbours,
  refused: [{ 'libs/modules/ledger/src/open-account.command.ts': '' }],
  accepted: [{ 'libs/a/open-account.command.ts': '', 'libs/a/open-account.command.int.spec.ts': '' }],
  advice: 'Put <name>.command.spec.ts or <name>.command.int.spec.ts beside it.',
});

describeRule('What a lib exports has a doc comment', tree, {
  rule: documentation,
  refused: [
    { 'libs/kernel/src/index.ts': "export { a } from './a';", 'libs/kernel/src/a.ts': 'export const a = 1;' },
    {
      'libs/kernel/src/index.ts': "export * from './a';",
      'libs/kernel/src/a.ts': '/** One. */\nexport const a = 1;',
    },
  ],
  accepted: [
    {
      'libs/kernel/src/index.ts': "export { a } from './a';",
      'libs/kernel/src/a.ts': '/** One. */\nexport const a = 1;',
    },
    {
      'libs/kernel/src/index.ts': "export { A } from './a';",
      'libs/kernel/src/a.ts': '/** One. */\nexport class A {}',
    },
  ],
  advice: 'Say what it does, what it promises, its units and errors, where it is declared.',
});

describeRule('Every process loads the sagas of all modules', tree, {
  rule: loadedSagas,
  refused: [
    {
      'libs/modules/orders/src/order.saga.ts': '',
      'apps/api/src/api.module.ts': "import { OrdersModule } from '@holdfast/orders';",
      'apps/worker/src/worker.ts': "import type { Order } from '@holdfast/orders';",
      'apps/cli/src/sagas.ts': "import '@holdfast/orders';",
    },
  ],
  accepted: [
    {
      'libs/modules/orders/src/order.saga.ts': '',
      'apps/api/src/api.module.ts': "import {\n  OrdersModule,\n} from '@holdfast/orders';",
      'apps/worker/src/worker.ts': "import '@holdfast/orders';",
      'apps/cli/src/sagas.ts': "import '@holdfast/orders';",
    },
  ],
  advice:
    'A process goes on with the sagas whose definition it has loaded. Without it in a worker nobody takes up what a process has left that died.',
});
