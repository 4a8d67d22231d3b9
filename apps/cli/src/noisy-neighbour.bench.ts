import { fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import path from 'node:path';
import { type BenchApi, startBenchApi } from './bench-api';
import { PLANS } from '@holdfast/kernel';
import type { BenchSystem } from './bench-system';
import type { Load, LoadTenant, Outcome } from './open-loop-client';

const TENANTS = 10;
/** The smallest plan: what a tenant may send is its share, and all shares together are well below what the API can do. */
const PLAN = 'free';
const SHARE_PER_SECOND = PLANS[PLAN].quotas.requestsPerSecond;
/** A tenant that behaves sends this part of its share. */
const ORDINARY = 0.5;
const NOISE = 50;
/** One after the other, so that what drifts in the machine falls on both alike. */
const ROUNDS = 7;
const SECONDS = 6;

/** How the other tenants fare while one sends fifty times its share, and what becomes of that. */
export interface NoiseFigures {
  readonly quietMs: number;
  readonly noisyMs: number;
  /** Of the noisy tenant, a second. */
  readonly admitted: number;
  readonly refused: number;
  /** Of the quiet tenants, in all: on a machine that keeps up, none. */
  readonly quietRefused: number;
}

/** The noise comes from many addresses, as it would from a tenant's own cluster: their limit does not help here. */
const SETTINGS = { HOLDFAST_ADDRESS_REQUESTS_PER_SECOND: '100000' };

/** The 99th percentile of the quiet tenants' latency, without noise and with it. */
export async function benchNoisyNeighbour(system: BenchSystem): Promise<NoiseFigures> {
  const api = await startBenchApi(system, 1, SETTINGS);
  try {
    const tenants: LoadTenant[] = [];
    for (let n = 0; n < TENANTS; n += 1) tenants.push(await loadTenant(api, `tenant-${n}`));
    await round(api.url, tenants, ORDINARY);
    const [quiet, noisy]: [Outcome[], Outcome[]] = [[], []];
    let [admitted, refused] = [0, 0];
    for (let n = 0; n < ROUNDS; n += 1) {
      quiet.push((await round(api.url, tenants, ORDINARY)).others);
      const { others, first } = await round(api.url, tenants, NOISE);
      noisy.push(others);
      admitted += first.latenciesMs.length / SECONDS / ROUNDS;
      refused += first.refused / SECONDS / ROUNDS;
    }
    const quietRefused = [...quiet, ...noisy].reduce((sum, { refused: more }) => sum + more, 0);
    return { quietMs: p99(quiet), noisyMs: p99(noisy), admitted, refused, quietRefused };
  } finally {
    await api.stop();
  }
}

async function loadTenant(api: BenchApi, slug: string): Promise<LoadTenant> {
  const { key, ask } = await api.tenant(slug, PLAN);
  const open = async (code: string, normalBalance: string): Promise<string> =>
    (await ask('/v1/ledger/accounts', { code, normalBalance, asset: 'EUR/2' })).id;
  const [debitAccountId, creditAccountId] = [await open('cash', 'debit'), await open('sales', 'credit')];
  return { key, transfer: { debitAccountId, creditAccountId, amount: '1' } };
}

/** The first tenant and the others have a process each: one that is busy sending would be late to hear of answers. */
async function round(
  url: string,
  [noisy, ...quiet]: readonly LoadTenant[],
  noise: number,
): Promise<{ readonly first: Outcome; readonly others: Outcome }> {
  const load = (tenants: readonly LoadTenant[], perSecond: number, from: number): Load => ({
    url,
    seconds: SECONDS,
    tenants: tenants.map((tenant, n) => ({ ...tenant, perSecond, address: `127.0.0.${from + n}` })),
  });
  const [first, others] = await Promise.all([
    client(load(noisy ? [noisy] : [], SHARE_PER_SECOND * noise, 2), constants.priority.PRIORITY_LOW),
    client(load(quiet, SHARE_PER_SECOND * ORDINARY, 3)),
  ]);
  return { first, others };
}

/** `priority` of the process: what the noisy tenant spends on sending would be spent on a machine of its own. */
function client(load: Load, priority: number = constants.priority.PRIORITY_NORMAL): Promise<Outcome> {
  const child = fork(path.join(__dirname, 'open-loop-client'));
  if (child.pid !== undefined) setPriority(child.pid, priority);
  return new Promise((resolve, reject) => {
    child.once('message', (outcome: Outcome) => resolve(outcome));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`a client ended with ${code}`)));
    child.send(load);
  });
}

/** The median over the rounds of their 99th percentiles: one round that the machine spoils does not decide. */
function p99(outcomes: readonly Outcome[]): number {
  return quantile(
    outcomes.map(({ latenciesMs }) => quantile(latenciesMs, 0.99)),
    0.5,
  );
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length * part)] ?? Number.NaN;
}
