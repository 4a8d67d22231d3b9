import { fork } from 'node:child_process';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type BenchApi, startBenchApi } from './bench-api';
import type { BenchSystem } from './bench-system';
import type { SteadyLoad, SteadyOutcome } from './closed-loop-client';

/** Single transfers over HTTP, and what the process of the API holds before and after them. */
export interface HttpFigures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Live objects behind a collection, in MB: after the warm-up and at the end. */
  readonly heapMb: readonly [number, number];
  /** All memory of the process, in MB, at the same times. */
  readonly residentMb: readonly [number, number];
}

/** Keep-alive connections, each with one request under way: more than the poster's batches need to fill. */
const CLIENTS = 64;
const ACCOUNTS = 1_000;
const OPENED_AT_ONCE = 16;
const WARM_UP_SECONDS = 5;

/**
 * Single transfers a second through the whole API, one POST each. The client is a process of its own, or it would share
 * the one core that JavaScript runs on with the API.
 */
export async function benchHttpTransfers(system: BenchSystem, seconds: number): Promise<HttpFigures> {
  const api = await startBenchApi(system, CLIENTS);
  try {
    const load = { url: api.url, key: api.key, connections: CLIENTS, accountIds: await openAccounts(api) };
    await runClient({ ...load, warmUpSeconds: 0, seconds: WARM_UP_SECONDS });
    const before = memory();
    const { latenciesMs } = await runClient({ ...load, warmUpSeconds: 1, seconds });
    const after = memory();
    return {
      perSecond: Math.round(latenciesMs.length / seconds),
      p50Ms: quantile(latenciesMs, 0.5),
      p99Ms: quantile(latenciesMs, 0.99),
      heapMb: [before.heapMb, after.heapMb],
      residentMb: [before.residentMb, after.residentMb],
    };
  } finally {
    await api.stop();
  }
}

async function openAccounts(api: BenchApi): Promise<string[]> {
  const ids: string[] = [];
  const open = async (): Promise<void> => {
    while (ids.length < ACCOUNTS) {
      const code = `bench over HTTP ${ids.length}`;
      ids.push('');
      const place = ids.length - 1;
      const account = { code, normalBalance: 'debit', asset: 'EUR/2', limit: 'none' };
      ids[place] = (await api.ask('/v1/ledger/accounts', account)).id;
    }
  };
  await Promise.all(Array.from({ length: OPENED_AT_ONCE }, open));
  return ids;
}

function runClient(load: SteadyLoad): Promise<SteadyOutcome> {
  const child = fork(path.join(__dirname, 'closed-loop-client'));
  return new Promise((resolve, reject) => {
    child.once('message', (outcome: SteadyOutcome) => resolve(outcome));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the client ended with ${code}`)));
    child.send(load);
  });
}

function memory(): { readonly heapMb: number; readonly residentMb: number } {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const { heapUsed, rss } = process.memoryUsage();
  return { heapMb: Math.round(heapUsed / 1e5) / 10, residentMb: Math.round(rss / 1e6) };
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length * part)] ?? Number.NaN;
}
