'use strict';

/**
 * The build of a checkout: `npm run build`, and what `holdfast` runs from.
 *
 * Every build is a directory of its own, which nobody touches once it is complete; `dist` is a link to the one in use,
 * and the link is replaced in one step. So a process runs to its end from the build that it has started from, whatever
 * is built meanwhile, and a build that fails leaves everything as it was.
 */
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '../../..');
const dist = path.join(root, 'dist');
/** Relative to the root. Below node_modules, every tool that reads the tree leaves it alone, and `npm ci` clears it. */
const builds = 'node_modules/.cache/holdfast';
const nest = path.join(root, 'node_modules/@nestjs/cli/bin/nest.js');
const lock = path.join(root, builds, 'lock');

/** What a build is made from. */
const sources = ['apps', 'libs', 'nest-cli.json', 'tsconfig.base.json', '.swcrc'];
/** A build takes seconds. A lock that is older was left behind by a machine that went down. */
const BUILD_MAX_MS = 120_000;
/** A process has read its program within seconds of its start; an hour is far beyond that. */
const KEPT_MS = 3_600_000;

/** The build did not succeed; the message holds what the compiler has printed. */
class BuildFailed extends Error {
  name = 'BuildFailed';
}

/** Whether there is a compiler: an image has `dist` and none. */
const canBuild = () => fs.existsSync(nest);

/** Whether `dist` leads to a build. */
const isBuilt = () => fs.existsSync(path.join(dist, 'apps/cli/src/main.js'));

/** Whether a source was changed, made or removed since the build in use was begun. */
function isStale() {
  const builtAtMs = isBuilt() ? fs.statSync(path.join(dist, 'apps/cli/src/main.js')).mtimeMs : 0;
  return sources.some((source) => hasNewer(path.join(root, source), builtAtMs));
}

function hasNewer(file, thanMs) {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (!stat) return false;
  if (!stat.isDirectory()) return !file.endsWith('.spec.ts') && stat.mtimeMs > thanMs;
  return fs.readdirSync(file).some((name) => hasNewer(path.join(file, name), thanMs));
}

/** Builds when `isNeeded` still says so once no other process builds: of several starts at once, one does the work. */
function build(isNeeded = () => true) {
  fs.mkdirSync(path.dirname(lock), { recursive: true });
  const unlock = takeLock();
  try {
    if (isNeeded()) use(compile());
    sweep();
  } finally {
    unlock();
  }
}

/** Compiles into a new directory and answers its name, relative to the root. */
function compile() {
  const startedAt = new Date();
  const outDir = `${builds}/${startedAt.getTime()}-${process.pid}`;
  const config = JSON.parse(fs.readFileSync(path.join(root, 'nest-cli.json'), 'utf8'));
  config.compilerOptions.builder.options.outDir = outDir;
  // Files that are not compiled go there as well: nest would put them where tsconfig says.
  const assets = config.compilerOptions.assets ?? [];
  config.compilerOptions.assets = assets.map((include) => ({ include, outDir }));
  config.compilerOptions.deleteOutDir = false;
  fs.writeFileSync(path.join(root, `${outDir}.json`), JSON.stringify(config));
  const options = { cwd: root, encoding: 'utf8' };
  const compiler = spawnSync(process.execPath, [nest, 'build', '-c', `${outDir}.json`], options);
  const main = path.join(root, outDir, 'apps/cli/src/main.js');
  if (compiler.status !== 0 || !fs.existsSync(main)) {
    fs.rmSync(path.join(root, outDir), { recursive: true, force: true });
    throw new BuildFailed(`The build failed.\n${compiler.stdout ?? ''}${compiler.stderr ?? ''}`);
  }
  // What is saved while the compiler runs may have been missed: it counts as newer than the build.
  fs.utimesSync(main, startedAt, startedAt);
  return outDir;
}

function use(outDir) {
  const link = path.join(root, `${outDir}.link`);
  fs.symlinkSync(outDir, link, 'junction');
  // The hour for which a build is kept begins when it is replaced.
  if (fs.existsSync(dist)) fs.utimesSync(dist, new Date(), new Date());
  // A directory is what `nest build` by hand leaves. It is moved, and swept as any other build.
  const stat = fs.lstatSync(dist, { throwIfNoEntry: false });
  if (stat?.isDirectory()) fs.renameSync(dist, path.join(root, `${outDir}.replaced`));
  fs.renameSync(link, dist);
}

/** Removes earlier builds, but for those that a process may still be starting from. */
function sweep() {
  const used = path.basename(fs.realpathSync(dist));
  for (const name of fs.readdirSync(path.join(root, builds))) {
    const file = path.join(root, builds, name);
    if (name === used || file === lock) continue;
    const stat = fs.lstatSync(file, { throwIfNoEntry: false });
    if (stat && Date.now() - stat.mtimeMs > KEPT_MS) fs.rmSync(file, { recursive: true, force: true });
  }
}

/**
 * Waits for the lock. It saves work and protects nothing: builds never share a directory. So a lock whose holder is
 * gone is simply removed, and should two processes do so at once, both build.
 */
function takeLock() {
  for (;;) {
    try {
      fs.writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return () => fs.rmSync(lock, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isAbandoned()) fs.rmSync(lock, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  }
}

function isAbandoned() {
  const stat = fs.statSync(lock, { throwIfNoEntry: false });
  if (!stat) return false;
  if (Date.now() - stat.mtimeMs > BUILD_MAX_MS) return true;
  try {
    const pid = Number(fs.readFileSync(lock, 'utf8'));
    // It is empty between the moment it is made and the moment it is written.
    if (pid > 0) process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

module.exports = { build, BuildFailed, canBuild, dist, isBuilt, isStale };

if (require.main === module) {
  try {
    build();
  } catch (error) {
    if (!(error instanceof BuildFailed)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
