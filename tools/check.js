'use strict';

const { spawn } = require('node:child_process');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const modules = path.join(root, 'node_modules');

/** Everything `npm run check` promises; each part can also be run alone: `npm run check -- lint types`. */
const parts = {
  types: ['typescript-7/bin/tsc', '-p', 'tsconfig.json'],
  lint: ['oxlint/bin/oxlint', '--type-aware', '--deny-warnings', '--report-unused-disable-directives'],
  format: ['prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'],
  boundaries: [
    'dependency-cruiser/bin/dependency-cruiser.mjs',
    '--config',
    '.dependency-cruiser.cjs',
    '--output-type',
    'err-long',
    'apps',
    'libs',
  ],
  unit: ['jest/bin/jest.js', '--selectProjects', 'unit'],
};

/** Runs one part and prints its output in one piece when it ends, because two parts run at a time. */
function run(name) {
  const [script, ...args] = parts[name];
  const startedAt = Date.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [path.join(modules, script), ...args], { cwd: root });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('close', (code) => {
      const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
      console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
      if (code !== 0 || name === 'unit') console.log(output);
      resolve(code === 0);
    });
  });
}

async function main(wanted) {
  const unknown = wanted.filter((name) => !parts[name]);
  if (unknown.length > 0)
    throw new Error(`No such part: ${unknown.join()}. There are ${Object.keys(parts).join()}.`);
  const queue = wanted.length > 0 ? wanted : Object.keys(parts);
  const results = [];
  // Two at a time: most parts keep about one core busy, and the smallest machine this is for has two.
  const lane = async () => {
    for (let name = queue.shift(); name; name = queue.shift()) results.push(await run(name));
  };
  await Promise.all([lane(), lane()]);
  process.exitCode = results.every(Boolean) ? 0 : 1;
}

void main(process.argv.slice(2));
