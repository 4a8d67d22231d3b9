import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

/** Memory as a directory, where Linux has it. */
const MEMORY = '/dev/shm';
/** Several times what the servers and processes of a run keep at once; a container often has 64 MB there. */
const ROOM_BYTES = 8 * 2 ** 30;

/**
 * Makes a directory in memory for everything that a run writes, or answers undefined where there is too little room.
 *
 * A database is some six hundred files, and making them on a disk costs several times what a test does with them. No
 * test cuts the power, so none can tell the two apart. What runs that were killed have left there is removed, since it takes memory;
 * a PostgreSQL that was left as well ends when it finds its files gone.
 */
export function makeMemoryDirectory(): string | undefined {
  if (!existsSync(MEMORY)) return undefined;
  for (const name of readdirSync(MEMORY)) {
    const [, pid] = /^holdfast-test-(\d+)-/.exec(name) ?? [];
    if (pid && !existsSync(`/proc/${pid}`)) rmSync(join(MEMORY, name), { recursive: true, force: true });
  }
  const { bavail, bsize } = statfsSync(MEMORY);
  if (bavail * bsize < ROOM_BYTES) return undefined;
  const directory = mkdtempSync(join(MEMORY, `holdfast-test-${process.pid}-`));
  chmodSync(directory, 0o1777); // For every user, as /tmp is: servers run as another one under root.
  return directory;
}
