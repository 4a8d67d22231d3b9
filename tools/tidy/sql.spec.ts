import ts from 'typescript';
import { describeRule, type Rule } from './rule';
import { nodesOf, placeOf } from './syntax';
import { isTest, readTree, type TreeFile } from './tree';

const tree = readTree();

const data =
  /^\s*(?:--[^\n]*\n\s*)*(?:select\b[\s\S]+?\bfrom\b|select\s+\w+\.\w+\(|insert\s+into\b|update\s+[\w."]+\s+set\b|delete\s+from\b|merge\s+into\b|with\s+\w+(?:\s*\([^)]*\))?\s+as\b)/i;
const shape =
  /^\s*(?:create|alter|drop|truncate)\s+(?:table|view|materialized|index|schema|role|function|policy|type)\b/i;
const isSql = (text: string): boolean => data.test(text) || shape.test(text);

type Text = ts.StringLiteralLike | ts.TemplateExpression;
const isText = (node: ts.Node): node is Text => ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);
const textOf = (node: Text): string =>
  ts.isTemplateExpression(node) ? node.getText().slice(1, -1) : node.text;

const inModules = (path: string): boolean => /^libs\/modules\/.*\.ts$/.test(path) && !isTest(path);
const inProduct = (path: string): boolean => /^(apps|libs)\/.*\.ts$/.test(path) && !isTest(path);

function sqlTexts(file: TreeFile): Text[] {
  return nodesOf(file, isText).filter((node) => isSql(textOf(node)));
}

const sqlPlaces: Rule = (files) =>
  files
    .filter(({ path }) => inModules(path) && !/\.(sql|query|aggregates)\.ts$/.test(path))
    .flatMap((file) => sqlTexts(file).map((node) => placeOf(file, node)));

const isConcatenated = (node: ts.Node): boolean =>
  ts.isBinaryExpression(node.parent) && node.parent.operatorToken.kind === ts.SyntaxKind.PlusToken;
const isBuilt = (node: Text): boolean => ts.isTemplateExpression(node) || isConcatenated(node);

/** DDL takes no parameters, so what creates databases and roles in platform has to quote; data never has to. */
const builtSql: Rule = (files) =>
  files
    .filter(({ path }) => inProduct(path))
    .flatMap((file) =>
      sqlTexts(file)
        .filter((node) => isBuilt(node) && (inModules(file.path) || data.test(textOf(node))))
        .map((node) => placeOf(file, node)),
    );

const listedColumns: Rule = (files) =>
  files
    .filter(({ path }) => inProduct(path))
    .flatMap((file) =>
      sqlTexts(file)
        .filter((node) => /\b(?:select|returning)\s+\*/i.test(textOf(node)))
        .map((node) => placeOf(file, node)),
    );

/**
 * Tables without the column, or read by whoever sees all of them: an operator's lists, the versions of a schema, and what the
 * sealer knows of the whole log, and drills.
 */
const global = String.raw`(?:tenants\.tenants|tenants\.erasure_receipts|telemetry\.schema_versions|audit\.sealer|audit\.log_keys|audit\.receipt_keys|events\.lineage|events\.ticks|drills\.drills)\b`;

/** A function call takes the tenant from the context; a table has to be asked for it. */
const readsTable = new RegExp(
  String.raw`\b(?:(?:from|join|update)\s+(?!${global})[a-z_]+\.[a-z_]+\b(?!\s*\()|into\s+(?!${global})[a-z_]+\.)`,
  'i',
);

const tenantColumns: Rule = (files) =>
  files
    .filter(({ path }) => inModules(path))
    .flatMap((file) =>
      sqlTexts(file)
        .filter((node) => readsTable.test(textOf(node)) && !textOf(node).includes('tenant_id'))
        .map((node) => placeOf(file, node)),
    );

const migrationPath = /^prisma\/migrations\/\d{14}_[a-z0-9]+(?:_[a-z0-9]+)+\/migration\.sql$/;
const migrationsOf = (files: readonly TreeFile[]): TreeFile[] =>
  files
    .filter(({ path }) => /^prisma\/migrations\/.*\.sql$/.test(path))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));

const migrationNames: Rule = (files) =>
  migrationsOf(files).flatMap(({ path }) => (migrationPath.test(path) ? [] : [path]));

const migrationComments: Rule = (files) =>
  migrationsOf(files)
    .filter(({ text }) => !/under load/i.test(/^(?:--.*\n)+/.exec(text)?.[0] ?? ''))
    .map(({ path }) => path);

const migrationOwners: Rule = (files) =>
  migrationsOf(files)
    .slice(1)
    .filter(({ text }) => !/^set local role holdfast_owner;$/m.test(text))
    .map(({ path }) => path);

const first = { 'prisma/migrations/20260101000000_create_roles/migration.sql': '-- Safe under load.\n' };
const second = 'prisma/migrations/20260102000000_create_tenancy/migration.sql';

describeRule('SQL of a module stands in .sql.ts and .query.ts', tree, {
  rule: sqlPlaces,
  refused: [
    { 'libs/modules/a/src/a.command.ts': "const rows = 'select id from ledger.accounts';" },
    { 'libs/modules/a/src/a.ts': "const ddl = 'create table t (id int)';" },
  ],
  accepted: [
    { 'libs/modules/a/src/a.sql.ts': "const rows = 'select id from ledger.accounts where tenant_id = $1';" },
    { 'libs/modules/a/src/a.command.ts': "const words = 'select a tenant';" },
  ],
  advice: 'Move the statement to <aggregate>.sql.ts (writes and locks) or to the query that it answers.',
});

describeRule('SQL is not built from strings', tree, {
  rule: builtSql,
  refused: [
    {
      'libs/modules/a/src/a.sql.ts':
        'const rows = `select id from ledger.accounts where tenant_id = ${tenant}`;',
    },
    { 'libs/platform/a/src/a.ts': "const rows = 'delete from events.log where id = ' + id;" },
    { 'libs/modules/a/src/a.sql.ts': 'const ddl = `create table ${name} (id int)`;' },
  ],
  accepted: [
    { 'libs/modules/a/src/a.sql.ts': 'const rows = `select id from ledger.accounts where tenant_id = $1`;' },
    { 'libs/platform/embedded/src/a.ts': 'const ddl = `alter role ${quoted} login`;' },
  ],
  advice: 'Pass values as parameters; an optional filter reads ($2::uuid is null or account_id = $2).',
});

describeRule('Statements list their columns', tree, {
  rule: listedColumns,
  refused: [{ 'libs/modules/a/src/a.sql.ts': "const rows = 'select * from a.b where tenant_id = $1';" }],
  accepted: [
    { 'libs/modules/a/src/a.sql.ts': "const rows = 'select count(*) from a.b where tenant_id = $1';" },
  ],
  advice: 'Name the columns: a new one would otherwise travel to every reader.',
});

describeRule('Every statement of a module carries tenant_id', tree, {
  rule: tenantColumns,
  refused: [
    { 'libs/modules/a/src/a.sql.ts': "const rows = 'select id from ledger.accounts where id = $1';" },
  ],
  accepted: [
    {
      'libs/modules/a/src/a.sql.ts':
        "const rows = 'select id from ledger.accounts where tenant_id = $1 and id = $2';",
    },
    { 'libs/modules/a/src/a.sql.ts': "const rows = 'select index, code from ledger.post(batch => $1)';" },
  ],
  advice:
    'Add tenant_id = $n: row-level security is the net, not the route, and no index is found without it.',
});

describeRule('A migration is named <14 digits>_<verb>_<what>', tree, {
  rule: migrationNames,
  refused: [{ 'prisma/migrations/1_roles/migration.sql': '' }],
  accepted: [first],
  advice: 'For example 20260102000000_create_tenancy/migration.sql.',
});

describeRule('A migration begins with why, and whether it is safe under load', tree, {
  rule: migrationComments,
  refused: [
    { [second]: 'create table t (id int);' },
    { [second]: '-- Creates t.\ncreate table t (id int);' },
  ],
  accepted: [first],
  advice: 'Begin with a comment that gives the reason and says "Safe under load: ..." or what it takes.',
});

describeRule('Every migration but the first runs as the owner', tree, {
  rule: migrationOwners,
  refused: [{ ...first, [second]: '-- Safe under load.\ncreate table t (id int);' }],
  accepted: [{ ...first, [second]: '-- Safe under load.\nset local role holdfast_owner;\n' }],
  advice:
    'Begin with "set local role holdfast_owner;": what the administrator creates is not under the policies.',
});
