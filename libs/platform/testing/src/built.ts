import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../../../..');
const BUILD = join(ROOT, 'apps/cli/bin/build.js');

/**
 * Builds the program if a source is newer than the build, and answers the directory of the build. Processes run it as an image would:
 * compiled, in Node alone; and all of a suite from the same build.
 */
export function built(): string {
  const script = `const b = require(${JSON.stringify(BUILD)}); if (b.isStale()) b.build(b.isStale);`;
  const run = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(run.stderr);
  return realpathSync(join(ROOT, 'dist'));
}
