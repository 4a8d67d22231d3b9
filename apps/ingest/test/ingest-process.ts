import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PolicyState } from '@holdfast/resilience';
import { type Books, booksOf } from './books';

const READY_TIMEOUT_MS = 30_000;
/** What is kept of its output for a test that fails. */
const OUTPUT_MAX = 100_000;

/** What a process of ingest is started with. */
export interface IngestProcessOptions {
  /** Its main file, compiled. */
  readonly program: string;
  readonly port: number;
  readonly metricsPort: number;
  readonly environment: Readonly<Record<string, string>>;
}

/** An ingest as it runs in production: a process of its own that knows its environment and nothing else. */
export class IngestProcess {
  /** Resolves when the process is gone, with its code or the signal that ended it. */
  readonly gone: Promise<number | NodeJS.Signals | null>;
  private readonly child: ChildProcess;
  private printed = '';

  private constructor({ program, port, metricsPort, environment }: IngestProcessOptions) {
    this.port = port;
    this.metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
    const kept = Object.entries(process.env).filter(
      ([name]) => !/^(DATABASE_|REDIS_|CLICKHOUSE_|KAFKA_|HOLDFAST_|INGEST_|NODE_OPTIONS)/.test(name),
    );
    this.child = spawn(process.execPath, [program], {
      env: {
        ...Object.fromEntries(kept),
        NODE_ENV: 'test',
        LOG_LEVEL: 'warn',
        HOLDFAST_HOST: '127.0.0.1',
        HOLDFAST_INGEST_PORT: String(port),
        HOLDFAST_METRICS_PORT: String(metricsPort),
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const output of [this.child.stdout, this.child.stderr])
      output?.on('data', (chunk) => (this.printed = (this.printed + String(chunk)).slice(-OUTPUT_MAX)));
    this.gone = new Promise((resolve) => this.child.once('close', (code, signal) => resolve(code ?? signal)));
  }

  readonly port: number;
  private readonly metricsUrl: string;

  /** Starts it, and answers when it is ready to take events. */
  static async start(options: IngestProcessOptions): Promise<IngestProcess> {
    const ingest = new IngestProcess(options);
    const deadline = Date.now() + READY_TIMEOUT_MS;
    while (Date.now() < deadline && !ingest.isGone) {
      const answer = await fetch(`http://127.0.0.1:${options.port}/readyz`).catch(() => undefined); // Not yet.
      await answer?.arrayBuffer();
      if (answer?.status === 200) return ingest;
      await sleep(20);
    }
    ingest.signal('SIGKILL');
    throw new Error(`ingest did not become ready:\n${ingest.printed}`);
  }

  get isGone(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Everything that it has printed. */
  get output(): string {
    return this.printed;
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Its metrics as Prometheus gets them. */
  async scrape(): Promise<string> {
    return (await fetch(this.metricsUrl)).text();
  }

  /** What `/readyz?verbose` shows to be drilled, by policy. */
  async drills(): Promise<Readonly<Record<string, string>>> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/readyz?verbose`);
    const { policies } = (await answer.json()) as { readonly policies: readonly PolicyState[] };
    return Object.fromEntries(policies.flatMap(({ name, drill }) => (drill ? [[name, drill]] : [])));
  }

  async books(lane = 'clickhouse'): Promise<Books> {
    return booksOf(await this.scrape(), lane);
  }

  /** CPU that it has used, in seconds of a core, and the memory that it holds, in MB. */
  async usage(): Promise<{ readonly cpuSeconds: number; readonly residentMb: number }> {
    const text = await this.scrape();
    const read = (name: string): number => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1]);
    return {
      cpuSeconds: read('process_cpu_seconds_total'),
      residentMb: read('process_resident_memory_bytes') / 1_048_576,
    };
  }

  /** Waits until nothing is in flight or spilled; answers the books then, or those at the deadline. */
  async settled(withinMs: number): Promise<Books> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const books = await this.books();
      if ((books.inFlight === 0 && books.spilled === 0) || Date.now() > deadline) return books;
      await sleep(50);
    }
  }
}
