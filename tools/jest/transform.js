'use strict';

const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { createTransformer } = require('@swc/jest');

const root = path.resolve(__dirname, '../..');
const ours = ['apps', 'libs', 'tools'].map((folder) => path.join(root, folder) + path.sep);
const esModule = /^\s*(import|export)\b|\bimport\(/m;

/** The options of the build, but for `exclude`: it keeps specs out of dist and would keep them out of Jest too. */
function buildOptions() {
  const options = JSON.parse(readFileSync(path.join(root, '.swcrc'), 'utf8'));
  delete options.exclude;
  delete options.$schema;
  return { ...options, swcrc: false, sourceMaps: 'inline' };
}

const typescript = createTransformer(buildOptions());
const javascript = createTransformer({
  swcrc: false,
  module: { type: 'commonjs' },
  jsc: { target: 'es2024', parser: { syntax: 'ecmascript' } },
});

const isOurs = (file) => ours.some((folder) => file.startsWith(folder));
const compilerFor = (file) => (isOurs(file) || file.endsWith('.ts') ? typescript : javascript);

let compilesDependencies = true;

/**
 * Runs global setup or teardown, in which dependencies are left to Node.
 *
 * Outside of specs Jest hooks Node's own loader, and that loader refuses CommonJS text for a file it knows as an ES
 * module; it needs no help either, because `require` of ES modules is native.
 */
async function withNativeDependencies(work) {
  compilesDependencies = false;
  try {
    return await work();
  } finally {
    compilesDependencies = true;
  }
}

/** Dependencies that keep what modules of ours have registered with them, and so are loaded anew with those; and Jest's own. */
const anew =
  /[\\/]node_modules[\\/](prom-client|@nestjs[\\/](graphql|mercurius)|@opentelemetry|jest|@jest|@sinonjs|expect)/;
/** Whether Node loads the file, once for all specs of a worker: see shared-context.js. */
const isShared = (file) => compilesDependencies && /[\\/]node_modules[\\/]/.test(file) && !anew.test(file);
const isUnchanged = (source, file) => !isOurs(file) && !(compilesDependencies && esModule.test(source));

/**
 * Compiles our TypeScript, and ES modules of dependencies to CommonJS; returns everything else unchanged.
 *
 * One test on the text instead of a list of packages: a list grows stale with every dependency, and compiling all of
 * node_modules doubles the time of a cold run.
 */
module.exports = {
  canInstrument: false,
  withNativeDependencies,
  process(source, file, options) {
    if (isShared(file)) return { code: `module.exports = requireOnce(${JSON.stringify(file)});` };
    return isUnchanged(source, file) ? { code: source } : compilerFor(file).process(source, file, options);
  },
  getCacheKey(source, file, options) {
    if (isShared(file)) return createHash('sha256').update(file).digest('hex');
    const key = compilerFor(file).getCacheKey(source, file, options);
    return isUnchanged(source, file) ? `${key}-unchanged` : key;
  },
};
