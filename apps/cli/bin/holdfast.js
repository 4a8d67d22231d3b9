#!/usr/bin/env node
'use strict';

/**
 * The command line's first file: plain JavaScript that any Node from 20 on can read. It sees to it that the rest runs
 * under Node 24 (the npm package `node`) and is built, and hands over.
 */
const { spawn, spawnSync } = require('node:child_process');
const { existsSync, readdirSync, statSync } = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '../../..');
const main = path.join(root, 'dist/apps/cli/src/main.js');
const NODE_MAJOR = 24;

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR) runUnderNewerNode();
else {
  buildWhenStale();
  require(main);
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

/** In a checkout, a build older than the sources is made anew. An image has dist and no compiler, and is left alone. */
function buildWhenStale() {
  const nest = path.join(root, 'node_modules/@nestjs/cli/bin/nest.js');
  if (!existsSync(nest)) {
    if (!existsSync(main)) fail('There is no build: dist/ is missing, and so is the compiler.');
    return;
  }
  const builtAt = existsSync(main) ? statSync(main).mtimeMs : 0;
  if (!['apps', 'libs'].some((folder) => hasNewer(path.join(root, folder), builtAt))) return;
  const build = spawnSync(process.execPath, [nest, 'build'], { cwd: root, encoding: 'utf8' });
  if (build.status !== 0) fail(`The build failed.\n${build.stdout}${build.stderr}`);
}

function hasNewer(folder, thanMs) {
  return readdirSync(folder, { withFileTypes: true }).some((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return hasNewer(file, thanMs);
    return /(?<!\.spec)\.ts$/.test(entry.name) && statSync(file).mtimeMs > thanMs;
  });
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
