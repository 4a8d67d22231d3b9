import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { built } from '@holdfast/testing';

const READY_TIMEOUT_MS = 60_000;
/** What is kept of a process's output for a test that fails. */
const OUTPUT_MAX = 200_000;

let program = '';

/** Builds the program if a source is newer than the build; all of a suite runs from the same build. */
export function buildProgram(): void {
  program = join(built(), 'apps/worker/test/faults/fault-worker.js');
}

/** How a worker is started besides its environment. */
export interface WorkerOptions {
  /** What it does to itself, as in HOLDFAST_FAULTS. */
  readonly faults?: string;
  /** Share of the pages of the group `effects` that fail. */
  readonly failing?: number;
  /** How long a page of the group `effects` takes. */
  readonly paceMs?: number;
  /** Share of the batches of the group `copies` that are refused. */
  readonly refusing?: number;
  /** Share of the batches of the group `copies` that are stored and whose answer is lost. */
  readonly losing?: number;
  /** The file of the group `copies`; without one there is no such group. */
  readonly copies?: string;
}

/** What the process is told about the groups of the test. */
export interface Probe {
  readonly failing: number;
  readonly paceMs: number;
  readonly refusing: number;
  readonly losing: number;
  /** The file of the group `copies`, or nothing. */
  readonly copies: string;
}

/** A worker process of a test's own, as Kubernetes would run one. */
export class WorkerProcess {
  /** Resolves when the process is gone, with the signal that ended it. */
  readonly gone: Promise<NodeJS.Signals | null>;
  private readonly child: ChildProcess;
  private printed = '';

  constructor(
    environment: Readonly<Record<string, string>>,
    private readonly metricsPort: number,
    { faults = '', failing = 0, paceMs = 0, refusing = 0, losing = 0, copies = '' }: WorkerOptions = {},
  ) {
    const probe: Probe = { failing, paceMs, refusing, losing, copies };
    const kept = Object.entries(process.env).filter(
      ([name]) => !/^(DATABASE_|REDIS_|CLICKHOUSE_|HOLDFAST_|NODE_OPTIONS)/.test(name),
    );
    this.child = spawn(process.execPath, ['--expose-gc', program, JSON.stringify(probe)], {
      env: {
        ...Object.fromEntries(kept),
        NODE_ENV: 'test',
        LOG_LEVEL: 'warn',
        HOLDFAST_METRICS_PORT: String(metricsPort),
        HOLDFAST_FAULTS: faults,
        ...environment,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    for (const output of [this.child.stdout, this.child.stderr])
      output?.on('data', (chunk) => (this.printed = (this.printed + String(chunk)).slice(-OUTPUT_MAX)));
    this.gone = new Promise((resolve) => this.child.once('close', (_code, signal) => resolve(signal)));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Everything that it has printed so far. */
  get output(): string {
    return this.printed;
  }

  /** Lines by which it said what it was about to do to itself. */
  get faults(): readonly string[] {
    return [...this.printed.matchAll(/^fault: (.*)$/gm)].map(([, fault = '']) => fault);
  }

  get isGone(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Whether it is stopped by a signal, as the kernel sees it. */
  get isStopped(): boolean {
    try {
      return /^\d+ \(.*\) T/.test(readFileSync(`/proc/${this.pid}/stat`, 'utf8'));
    } catch {
      return false; // It is gone.
    }
  }

  /** Bytes that it holds and cannot give back, told by itself behind a collection of garbage. */
  async liveBytes(): Promise<number> {
    const told = (): string[] =>
      [...this.printed.matchAll(/^live bytes: (\d+)$/gm)].map(([, bytes = '']) => bytes);
    const before = told().length;
    this.signal('SIGUSR2');
    const deadline = Date.now() + READY_TIMEOUT_MS;
    while (told().length === before) {
      if (this.isGone || Date.now() > deadline)
        throw new Error(`the worker tells nothing of its memory:\n${this.printed}`);
      await sleep(25);
    }
    return Number(told().at(-1));
  }

  /** Waits until it serves its metrics, which it does behind everything else that it starts; false when it is gone. */
  async ready(): Promise<boolean> {
    const deadline = Date.now() + READY_TIMEOUT_MS;
    while (!this.isGone && Date.now() < deadline) {
      if ((await this.metric('holdfast_events_sequencer_leading')) !== undefined) return true;
      await sleep(25);
    }
    if (!this.isGone) throw new Error(`the worker did not become ready:\n${this.printed}`);
    return false;
  }

  /** Whether it holds the lease of the sequencer, as far as it knows. */
  async isLeading(): Promise<boolean> {
    return (await this.metric('holdfast_events_sequencer_leading')) === 1;
  }

  /** The value of a metric, with its labels as Prometheus writes them; undefined when it does not answer. */
  async metric(name: string): Promise<number | undefined> {
    try {
      const signal = AbortSignal.timeout(1_000);
      const answer = await fetch(`http://127.0.0.1:${this.metricsPort}/metrics`, { signal });
      const line = (await answer.text()).split('\n').find((each) => each.startsWith(`${name} `));
      return line === undefined ? undefined : Number(line.slice(name.length + 1));
    } catch {
      return undefined; // Not there yet, stopped, or gone.
    }
  }

  /** Sends a signal and does not wait for anything. */
  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Kills it with the signal that nobody can catch, and waits until it is gone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.gone;
  }
}
