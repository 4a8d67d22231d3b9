import { closeSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Another `holdfast dev` has the directory. */
export class DevRuns extends Error {
  override readonly name = 'DevRuns';

  constructor(directory: string, pid: number) {
    super(
      `\`holdfast dev\` already runs on ${directory} (process ${pid}). Stop it first (Ctrl-C, or kill ${pid}), or start in another checkout.`,
    );
  }
}

/** The holder of a lock. A process id alone is not enough: after a reboot it may be anybody's. */
interface Holder {
  readonly pid: number;
  readonly startedAt: string;
}

/** Two processes that find the same stale lock race for it a few times at most. */
const ATTEMPTS_MAX = 5;

/**
 * Takes the directory for this process and answers the function that gives it back; throws DevRuns while another has it.
 *
 * The lock is a file that names its holder. A holder that was killed leaves it behind; whoever comes next sees that
 * the process is gone, moves the file aside, and starts over. The move succeeds for one process only, and it looks
 * at what it has moved: a lock that somebody took in between is put back.
 */
export function takeDevLock(directory: string): () => void {
  const file = join(directory, 'dev.lock');
  const mine: Holder = { pid: process.pid, startedAt: startOf(process.pid) ?? 'unknown' };
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    if (create(file, mine)) return () => release(file, mine);
    const holder = read(file);
    if (holder && lives(holder)) throw new DevRuns(directory, holder.pid);
    moveAside(file, holder);
  }
  throw new DevRuns(directory, read(file)?.pid ?? 0);
}

function create(file: string, holder: Holder): boolean {
  try {
    const descriptor = openSync(file, 'wx', 0o644);
    writeSync(descriptor, JSON.stringify(holder));
    closeSync(descriptor);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function read(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch {
    return undefined; // Gone in the meantime, or its holder died while writing it: nobody's.
  }
}

function moveAside(file: string, stale: Holder | undefined): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
    const moved = read(aside);
    if (moved && (moved.pid !== stale?.pid || moved.startedAt !== stale.startedAt)) renameSync(aside, file);
    else rmSync(aside, { force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function release(file: string, mine: Holder): void {
  const holder = read(file);
  if (holder?.pid === mine.pid && holder.startedAt === mine.startedAt) rmSync(file, { force: true });
}

function lives({ pid, startedAt }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, as another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const started = startOf(pid);
  return started === undefined || startedAt === 'unknown' || started === startedAt;
}

/** When a process was started, in ticks since boot (field 22 of proc(5) stat) and the boot's id; undefined elsewhere than Linux. */
function startOf(pid: number): string | undefined {
  try {
    // The second field is the program's name in brackets and may itself hold blanks and brackets.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return `${fields[19]}@${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`;
  } catch {
    return undefined; // No proc file system, or the process has gone.
  }
}
