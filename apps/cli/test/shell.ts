import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { dirname } from 'node:path';

/** What a block printed, and whether a command in it failed. */
export interface Ran {
  readonly failed: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Printed behind each block on both outputs; nothing else prints it. */
const END = '@@end-of-block';
const BLOCK_TIMEOUT_MS = 30_000;

/** A terminal into which blocks are pasted one after the other; variables stay from block to block. */
export class Shell {
  private readonly child: ChildProcessWithoutNullStreams;
  private stdout = '';
  private stderr = '';

  constructor(directory: string) {
    // The node of this test comes first: a reader's terminal may have an older one, which the commands accept as well.
    const path = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
    this.child = spawn('bash', ['--noprofile', '--norc'], {
      cwd: directory,
      env: { ...process.env, PATH: path },
    });
    this.child.stdout.on('data', (chunk) => (this.stdout += String(chunk)));
    this.child.stderr.on('data', (chunk) => (this.stderr += String(chunk)));
    // A failure inside $( ) or a pipe counts, which an exit code of the block alone would not show.
    this.child.stdin.write("set -Eo pipefail\ntrap 'failed=1' ERR\n");
  }

  /** Runs a block to its end. Rejects when that takes more than 30 s. */
  async run(block: string): Promise<Ran> {
    this.stdout = '';
    this.stderr = '';
    this.child.stdin.write(`failed=0\n${block}\nprintf '${END} %s' "$failed"; printf '${END}' >&2\n`);
    const deadline = Date.now() + BLOCK_TIMEOUT_MS;
    while (!(/@@end-of-block [01]/.test(this.stdout) && this.stderr.includes(END))) {
      if (Date.now() > deadline)
        throw new Error(`this takes too long:\n${block}\n${this.stdout}\n${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const [stdout = '', failed] = this.stdout.split(END);
    return { failed: failed?.trim() !== '0', stdout, stderr: this.stderr.split(END)[0] ?? '' };
  }

  /** Ends the shell. */
  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('close', resolve));
    this.child.stdin.end();
    await ended;
  }
}
