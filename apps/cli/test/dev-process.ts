import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DevFile } from '../src/dev/dev-file';

const PROGRAM = join(__dirname, '../bin/holdfast.js');
/** Without another line of its output, so that a busy machine has as long for each step; what has to be faster says so in its test. */
const SILENT_MAX_MS = 60_000;

/** What runs where: a test that fails half-way leaves its processes to `removeCheckout`. */
const started = new Map<ChildProcess, string>();

/** What a command printed, and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A user as the system knows one. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** As whom a command is started, and from which `bin/holdfast.js`: today's, unless it is said. */
export interface Started extends Partial<User> {
  readonly program?: string | undefined;
}

/** An empty directory for a system of its own. Others may pass through it: the server runs as another user under root. */
export function freshCheckout(): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-dev-'));
  chmodSync(directory, 0o755);
  return directory;
}

/** Servers of the test run are not what these tests are about, and every port is a free one. */
function environment(extra: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(DATABASE_|REDIS_|CLICKHOUSE_|HOLDFAST_|NODE_OPTIONS)/.test(name),
  );
  const free = { HOLDFAST_PORT: '0', HOLDFAST_INGEST_PORT: '0', HOLDFAST_METRICS_PORT: '0' };
  return { ...(Object.fromEntries(kept) as Record<string, string>), ...free, ...extra };
}

/** Runs `holdfast <words>` in a checkout to its end. */
export function holdfast(
  checkout: string,
  words: readonly string[],
  extra: Readonly<Record<string, string>> = {},
  as: Started = {},
): Promise<Ended> {
  return new DevProcess(checkout, words, extra, as).ended;
}

/** A running `holdfast dev` (or another verb) in a checkout. */
export class DevProcess {
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcess;
  private stdout = '';
  private stderr = '';
  private saidAtMs = Date.now();

  constructor(
    private readonly checkout: string,
    words: readonly string[] = ['dev'],
    extra: Readonly<Record<string, string>> = {},
    { program = PROGRAM, uid, gid }: Started = {},
  ) {
    this.child = spawn(process.execPath, [program, ...words], {
      cwd: checkout,
      env: environment(extra),
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
    });
    started.set(this.child, checkout);
    this.child.stdout?.on('data', (chunk) => (this.stdout += String(chunk)));
    this.child.stderr?.on('data', (chunk) => (this.stderr += String(chunk)));
    for (const output of [this.child.stdout, this.child.stderr])
      output?.on('data', () => (this.saidAtMs = Date.now()));
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  /** Whether it has ended, by itself or by a signal. */
  get isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Waits for dev.json and answers it. */
  async ready(): Promise<DevFile> {
    const file = join(this.checkout, '.holdfast/dev.json');
    while (this.child.exitCode === null && !this.isSilent) {
      // The file of a process that was killed is removed by this one's start, which says so by its lock.
      if (existsSync(file) && this.holdsLock()) return JSON.parse(readFileSync(file, 'utf8')) as DevFile;
      await sleep(50);
    }
    throw new Error(`holdfast dev did not become ready:\n${this.stdout}\n${this.stderr}`);
  }

  /** Waits until it has printed a text. */
  async until(text: string): Promise<void> {
    while (!`${this.stdout}${this.stderr}`.includes(text)) {
      if (this.child.exitCode !== null || this.isSilent)
        throw new Error(`no "${text}" in:\n${this.stdout}\n${this.stderr}`);
      await sleep(10);
    }
  }

  /** Reads no further, as `head` does when it has its lines. */
  closeOutput(): void {
    this.child.stdout?.destroy();
  }

  /** Sends a signal and waits for the end. */
  async signal(name: NodeJS.Signals): Promise<Ended> {
    this.child.kill(name);
    return this.ended;
  }

  private get isSilent(): boolean {
    return Date.now() - this.saidAtMs > SILENT_MAX_MS;
  }

  private holdsLock(): boolean {
    const lock = join(this.checkout, '.holdfast/dev.lock');
    return (
      existsSync(lock) &&
      readFileSync(lock, 'utf8').includes(`"pid":${this.child.pid},`) &&
      this.stdout.includes('Holdfast runs.')
    );
  }
}

/** The process id of the PostgreSQL of a checkout, whether it runs or has run. */
export function postgresPid(checkout: string): number | undefined {
  const file = join(checkout, '.holdfast/postgres/postmaster.pid');
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : undefined;
}

/** Whether a process runs. One that has ended and that nobody has asked about (state Z) does not. */
export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync('/proc') || !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Waits for a process to end; false when it has not within ten seconds. */
export async function ends(pid: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 50) {
    if (!lives(pid)) return true;
    await sleep(50);
  }
  return false;
}

/** Ends whatever still runs in a checkout and removes it. */
export function removeCheckout(checkout: string): void {
  for (const [child, place] of started)
    if (place === checkout && child.exitCode === null) child.kill('SIGKILL');
  const pid = postgresPid(checkout);
  if (pid !== undefined && lives(pid)) process.kill(pid, 'SIGQUIT');
  rmSync(checkout, { recursive: true, force: true, maxRetries: 5 });
}
