import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@holdfast/embedded';
import { built } from '@holdfast/testing';
import { DevProcess, freshCheckout, holdfast, removeCheckout } from '../dev-process';
import { Client } from '../journal';
import { Servers } from '../servers';
import { type ApiLoad, type LoadOutcome, type LoadTenant, percentile, type Tally } from './api-load';

/** An API process under load. */
export interface LoadedApi {
  readonly port: number;
  readonly metricsPort: number;
  readonly process: DevProcess;
}

/** A load under way. */
export interface Sending {
  readonly outcome: Promise<LoadOutcome>;
  stop(): void;
}

/** Servers, one API and tenants, and a process that sends what the API is to bear. */
export class LoadStage {
  private constructor(
    readonly checkout: string,
    readonly servers: Servers,
    private readonly sender: ChildProcess,
  ) {}

  static async open(): Promise<LoadStage> {
    const program = join(built(), 'apps/cli/test/system-load/api-load-process.js');
    const checkout = freshCheckout();
    return new LoadStage(checkout, await Servers.start(checkout), fork(program, { execArgv: [] }));
  }

  /** Starts an API in which nobody has a quota: what is tried is what the process bears. */
  async api(settings: Readonly<Record<string, string>> = {}): Promise<LoadedApi> {
    const [port, metricsPort] = [await freePort(), await freePort()];
    const environment = {
      ...this.servers.environment,
      HOLDFAST_LIMITS: 'off',
      HOLDFAST_PORT: String(port),
      HOLDFAST_METRICS_PORT: String(metricsPort),
      ...settings,
    };
    const process = new DevProcess(this.checkout, ['api'], environment);
    await untilReady(port, process);
    return { port, metricsPort, process };
  }

  /** Makes a tenant with two accounts. */
  async tenant(name: string, { port }: Pick<LoadedApi, 'port'>): Promise<LoadTenant> {
    const { environment } = this.servers;
    const run = async (...words: string[]): Promise<string> => {
      const { code, stdout, stderr } = await holdfast(this.checkout, [...words, '--json'], environment);
      if (code !== 0) throw new Error(stderr);
      return stdout;
    };
    await run('tenant', 'create', name);
    const { secret: key } = JSON.parse(await run('key', 'create', name)) as { readonly secret: string };
    return { key, ...(await new Client(`http://127.0.0.1:${port}`, key).accounts()) };
  }

  /** Begins a load; one at a time. */
  send(load: ApiLoad): Sending {
    const outcome = new Promise<LoadOutcome>((resolve, reject) => {
      this.sender.once('message', (message) => resolve(message as LoadOutcome));
      this.sender.once('exit', (code) => reject(new Error(`the sender ended with ${code}`)));
    });
    this.sender.send(load);
    return { outcome, stop: () => void this.sender.send('stop') };
  }

  async close(): Promise<void> {
    this.sender.removeAllListeners('exit').disconnect();
    await this.servers.stop();
    removeCheckout(this.checkout);
  }
}

/** Of what a process has said that has ended. */
const TOLD_MAX = 4_000;

/** Waits until an API says that it is ready. */
export async function untilReady(port: number, process: DevProcess): Promise<void> {
  for (const deadline = Date.now() + 150_000; ; await sleep(50)) {
    // Nobody listens: that is not ready.
    const answer = await fetch(`http://127.0.0.1:${port}/readyz?verbose`).catch(() => undefined);
    const said = await answer?.text();
    if (answer?.status === 200) return;
    if (process.isOver) {
      const { stdout, stderr } = await process.ended;
      throw new Error(`the API has ended: ${stdout.slice(-TOLD_MAX)}${stderr}`);
    }
    if (Date.now() > deadline) throw new Error(`the API does not become ready: ${said}`);
  }
}

/** The sums of a metric's series, by name; what its metrics port says. */
export async function metricsOf({
  metricsPort,
}: Pick<LoadedApi, 'metricsPort'>): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const sums = new Map<string, number>();
  for (const [, name = '', value] of text.matchAll(/^([a-z_]+)(?:\{[^}]*\})? (\S+)$/gm))
    sums.set(name, (sums.get(name) ?? 0) + Number(value));
  return sums;
}

/** For people. */
export function tallyText({ statuses, good, goodMs, refusedMs }: Tally): string {
  const ms = (values: readonly number[], share: number): string => percentile(values, share).toFixed(0);
  const counts = Object.entries(statuses).map(([status, count]) => `${status}: ${count}`);
  const refused =
    refusedMs.length > 0 ? `, refused p50 ${ms(refusedMs, 0.5)} p99 ${ms(refusedMs, 0.99)} ms` : '';
  return `${good} good (p50 ${ms(goodMs, 0.5)} p99 ${ms(goodMs, 0.99)} ms)${refused} [${counts.join(', ')}]`;
}

/** Tells the reader of the run. */
export function say(...lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}
