import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { SealerProgram } from './sealer-program';

const PROGRAM = 'apps/cli/test/sealing-faults/sealer-program.js';
const ROOT = join(__dirname, '../../../..');

/** A process that seals and does nothing else, compiled and in Node alone. */
export class SealerProcess {
  /** Resolves when the process is gone, with the signal that ended it. */
  readonly gone: Promise<NodeJS.Signals | null>;
  private readonly child: ChildProcess;
  private printed = '';

  constructor(program: SealerProgram) {
    const file = join(realpathSync(join(ROOT, 'dist')), PROGRAM);
    this.child = spawn(process.execPath, [file, JSON.stringify(program)], {
      env: {
        PATH: process.env['PATH'],
        NODE_ENV: 'test',
        NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    for (const output of [this.child.stdout, this.child.stderr])
      output?.on('data', (chunk) => (this.printed += String(chunk)));
    this.gone = new Promise((resolve) => this.child.once('close', (_code, signal) => resolve(signal)));
  }

  get output(): string {
    return this.printed.replaceAll(/^(?:leads|waits)\n/gm, '');
  }

  /** Whether it did to itself what it was told to do at a step. */
  hasFaulted(action: string, step: string): boolean {
    return this.printed.includes(`fault: ${action} at ${step},`);
  }

  get isGone(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** What it said last of its lease. */
  get isLeading(): boolean {
    return this.printed.lastIndexOf('leads\n') > this.printed.lastIndexOf('waits\n');
  }

  /** Whether it is stopped by a signal, as the kernel sees it. */
  get isStopped(): boolean {
    return /^\d+ \(.*\) T/.test(readFileSync(`/proc/${this.child.pid}/stat`, 'utf8'));
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.gone;
  }
}
