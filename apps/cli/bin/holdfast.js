#!/usr/bin/env node
'use strict';

/**
 * The command line's first file: plain JavaScript that any Node from 20 on can read. It sees to it that the rest runs
 * under Node 24 (the npm package `node`) and is built, and hands over.
 */
const { spawn } = require('node:child_process');
const { existsSync, realpathSync } = require('node:fs');
const { enableCompileCache } = require('node:module');
const path = require('node:path');

const root = path.resolve(__dirname, '../../..');
const NODE_MAJOR = 24;

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR) {
  runUnderNewerNode();
} else {
  const build = findBuild();
  // A verb loads some two thousand files; where what was compiled can be kept, the next one starts in three quarters of the time.
  // In the build, with which it is swept. A user who may not write there goes without.
  enableCompileCache(path.join(build, 'compiled'));
  require(path.join(build, 'apps/cli/src/main.js'));
}

function runUnderNewerNode() {
  const node = path.join(root, 'node_modules/node/bin/node');
  if (!existsSync(node)) fail(`Node ${NODE_MAJOR} is missing. Run \`npm ci\` first; it brings its own.`);
  const child = spawn(node, [__filename, ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal sends Ctrl-C to both of us, `kill` only to this one: it is passed on, and `dev` takes two within half a
  // second for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(error.message));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 1;
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
  });
}

/**
 * The directory to run from. In a checkout, a build that is missing is made; one older than the sources is made anew by
 * `dev` alone: other verbs look at what runs, and must work while a file is half saved. An image has no compiler.
 */
function findBuild() {
  const { build, BuildFailed, canBuild, dist, isBuilt, isStale } = require('./build.js');
  const isNeeded = process.argv[2] === 'dev' ? isStale : () => !isBuilt();
  try {
    if (canBuild() && isNeeded()) build(isNeeded);
  } catch (error) {
    if (error instanceof BuildFailed) fail(error.message);
    if (!['EACCES', 'EPERM', 'EROFS'].includes(error.code)) throw error;
    if (isBuilt())
      process.stderr.write(
        `The build is older than the sources, and not ours to make anew (${error.code}).\n`,
      );
  }
  if (!isBuilt()) fail('There is no build (dist/), and none can be made here.');
  // Not through the link: `dist` may lead elsewhere before everything is loaded.
  return realpathSync(dist);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
