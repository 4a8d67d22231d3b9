import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server that writes its last checkpoint takes seconds; one that takes longer hangs, and the next start says so. */
const STOP_TIMEOUT_MS = 60_000;

/**
 * Stops a server that an earlier process left running on the directory when it was killed, and takes away the pid file of
 * one that was killed itself.
 *
 * PostgreSQL refuses to start while any process has the number in that file: one that has ended and that nobody has
 * asked how (a zombie), or, after a reboot, somebody else's. It also refuses while a backend of a killed server lives,
 * which the file lets it find; so the file goes only once no process of PostgreSQL works in the directory.
 */
export async function stopLeftover(directory: string): Promise<void> {
  const pidFile = join(directory, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const postmaster = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  if (serversOn(directory, postmaster).includes(postmaster)) process.kill(postmaster, 'SIGINT');
  while (serversOn(directory, postmaster).length > 0) {
    if (Date.now() > deadline) return;
    await sleep(50);
  }
  if (existsSync('/proc')) rmSync(pidFile, { force: true });
}

/** Processes of PostgreSQL that work in the directory. Without /proc only the postmaster's number can be asked about. */
function serversOn(directory: string, postmaster: number): number[] {
  if (!existsSync('/proc')) return lives(postmaster) ? [postmaster] : [];
  const place = realpathSync(directory);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => isServerOn(place, pid));
}

/** PostgreSQL makes its data directory its working directory. A zombie has none. */
function isServerOn(place: string, pid: number): boolean {
  try {
    return (
      readlinkSync(`/proc/${pid}/cwd`) === place && readFileSync(`/proc/${pid}/comm`, 'utf8') === 'postgres\n'
    );
  } catch {
    return false; // It has ended, or belongs to somebody whose server cannot be ours.
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
