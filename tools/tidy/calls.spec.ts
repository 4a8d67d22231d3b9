import ts from 'typescript';
import { describeRule, type Rule } from './rule';
import { nodesOf, placeOf } from './syntax';
import { isTest, readTree, type TreeFile } from './tree';

const tree = readTree();

/** Who may call out without a policy, and why. */
const EXEMPT = [
  'libs/platform/resilience/', // It is the policy.
  'libs/platform/outgoing/', // Posts to addresses that tenants choose; who uses it puts a policy around it.
  'apps/cli/src/audit-verify-http.ts', // A verifier stands alone: one person waits for it, and each request has its time.
  'apps/cli/src/dev/demo.ts', // Fills the API that the same process has just started.
  'apps/cli/src/drills.ts', // One person waits, and the process that is asked is the one that is made unwell.
  'apps/cli/src/bench-api.ts', // Load generators measure what comes back, and have to see every failure.
  'apps/cli/src/open-loop-client.ts',
  'apps/cli/src/closed-loop-client.ts',
];

const isHeld = ({ path }: TreeFile): boolean =>
  /^(apps|libs)\/.*\.ts$/.test(path) &&
  !isTest(path) &&
  !path.endsWith('.bench.ts') &&
  !EXEMPT.some((exempt) => path.startsWith(exempt));

const isBareFetch = (node: ts.Node): node is ts.CallExpression =>
  ts.isCallExpression(node) && /^(?:globalThis\.)?fetch$/.test(node.expression.getText());

/** What opens a connection; what only serves or describes one does not. */
const CLIENTS = /\b(?:request|get|Agent|connect|createConnection|fetch|Client|Pool)\b/;
const isClientImport = (node: ts.Node): node is ts.ImportDeclaration => {
  if (!ts.isImportDeclaration(node) || node.importClause?.isTypeOnly) return false;
  const from = (node.moduleSpecifier as ts.StringLiteral).text;
  if (from === 'undici') return true;
  return /^(?:node:)?(?:https?|http2)$/.test(from) && CLIENTS.test(node.importClause?.getText() ?? '');
};

const bareCalls: Rule = (files) =>
  files
    .filter(isHeld)
    .flatMap((file) =>
      [...nodesOf(file, isBareFetch), ...nodesOf(file, isClientImport)].map((node) => placeOf(file, node)),
    );

describeRule('Every call that leaves a process goes through a policy', tree, {
  rule: bareCalls,
  refused: [
    { 'libs/modules/payments/src/bank.ts': `const answer = await fetch('https://bank.example');` },
    { 'apps/api/src/x.ts': `void globalThis.fetch(url);` },
    { 'libs/platform/jobs/src/x.ts': `import { Agent } from 'undici';` },
    { 'libs/platform/jobs/src/y.ts': `import { request } from 'node:https';` },
  ],
  accepted: [
    { 'libs/modules/payments/src/bank.ts': `const answer = await this.policy.fetch(url, {}, read);` },
    { 'libs/modules/payments/src/bank.spec.ts': `const answer = await fetch(url);` },
    { 'libs/platform/testing/src/z.ts': `import { request } from 'node:http';` },
    {
      'libs/platform/observability/src/x.ts': `import { createServer, type IncomingMessage } from 'node:http';`,
    },
  ],
  advice:
    'A bare call has no deadline, no limit of calls at once and no circuit breaker, and shows in no metric: make it with `Policy.fetch` or `Policy.run` of @holdfast/resilience, or say in the list of this rule why not.',
});

/** Who composes policies by itself, and why. */
const OWN_POLICIES = [
  'libs/modules/delivery/', // A bulkhead within a bulkhead, for each tenant.
  'libs/platform/database/src/circuit.ts', // Deadline, retries and bulkhead are the pool's, and a transaction has no signal to end by.
];

/** Drivers that may be imported have owners, and those have policies or reasons: `.dependency-cruiser.cjs` knows the owners. */
const cockatiel: Rule = (files) =>
  files
    .filter((file) => isHeld(file) && !OWN_POLICIES.some((own) => file.path.startsWith(own)))
    .flatMap((file) =>
      nodesOf(file, ts.isImportDeclaration)
        .filter((node) => (node.moduleSpecifier as ts.StringLiteral).text === 'cockatiel')
        .map((node) => placeOf(file, node)),
    );

describeRule('Policies are made in one place', tree, {
  rule: cockatiel,
  refused: [{ 'libs/platform/ingest/src/x.ts': `import { timeout } from 'cockatiel';` }],
  accepted: [{ 'libs/platform/resilience/src/policy.ts': `import { timeout } from 'cockatiel';` }],
  advice:
    'A breaker or timeout of its own has no name, no metric and no drill: use a Policy of @holdfast/resilience.',
});
