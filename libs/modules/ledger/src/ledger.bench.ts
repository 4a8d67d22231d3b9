import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Caller, newId } from '@holdfast/kernel';
import type { TenantDatabase } from '@holdfast/tenancy';
import { Client } from 'pg';
import { insertAccount } from './accounts/accounts.sql';
import { PLAIN_TABLES, PLAIN_TRANSFER } from './plain-transfers.sql';
import { PLAIN, postBatch, type Posting } from './posting/post-batch.sql';
import { posterOver } from './posting/poster';

/** What the bench runs on. The tenant of `caller` gets accounts and transfers that stay there. */
export interface LedgerBenchOptions {
  /** A superuser's connection string: the things compared with get a database of their own on the same server. */
  readonly adminUrl: string;
  readonly tenants: TenantDatabase;
  readonly caller: Caller;
  /** How long each measurement takes. */
  readonly seconds?: number;
}

/** Transfers per second, measured one after the other on one machine. */
export interface LedgerFigures {
  readonly batchesOneConnection: number;
  readonly batchesTwoConnections: number;
  readonly batchesTwoAccounts: number;
  readonly singlesThroughPoster: number;
  readonly singlesP50Ms: number;
  readonly singlesP99Ms: number;
  readonly plainTransactions: number;
  /** Transactions per second of `pgbench -b tpcb-like -c 16`; null where there is no pgbench. */
  readonly pgbench: number | null;
}

const BATCH = 2_000;
const ACCOUNTS = 10_000;
const CLIENTS = 64;
/** As many as pgbench gets: beyond that a machine of two cores only switches between them. */
const CONNECTIONS = 16;
const COMPARISON = 'holdfast_bench_ledger';

/** Measures transfers through the batch function and the poster, against plain SQL and pgbench, in one run. */
export async function benchLedger({
  adminUrl,
  tenants,
  caller,
  seconds = 5,
}: LedgerBenchOptions): Promise<LedgerFigures> {
  const accounts = await openAccounts(tenants, caller);
  const hot = accounts.slice(0, 2);
  const endsAt = (): number => Date.now() + seconds * 1_000;
  const batches = async (connections: number, between: readonly string[]): Promise<number> => {
    const until = endsAt();
    const loop = async (): Promise<number> => {
      let posted = 0;
      while (Date.now() < until) {
        const postings = Array.from({ length: BATCH }, () => anyPosting(caller, between));
        await tenants.transaction(caller, (tx) => postBatch(tx, postings));
        posted += BATCH;
      }
      return posted;
    };
    return perSecond(seconds, connections, loop);
  };
  const batchesOneConnection = await batches(1, accounts);
  const batchesTwoConnections = await batches(2, accounts);
  const batchesTwoAccounts = await batches(1, hot);
  const singles = await benchPoster(tenants, caller, accounts, endsAt());
  return {
    ...{ batchesOneConnection, batchesTwoConnections, batchesTwoAccounts },
    singlesThroughPoster: Math.round(singles.length / seconds),
    singlesP50Ms: percentile(singles, 0.5),
    singlesP99Ms: percentile(singles, 0.99),
    ...(await benchComparison(adminUrl, seconds)),
  };
}

async function openAccounts(tenants: TenantDatabase, caller: Caller): Promise<string[]> {
  const ids = Array.from({ length: ACCOUNTS }, () => newId());
  const plain = { asset: 'EUR/2', normalBalance: 'debit', limit: 'none', metadata: {} } as const;
  await tenants.transaction(caller, async (tx) => {
    await Promise.all(ids.map((id) => insertAccount(tx, id, { ...plain, code: `bench ${id}` })));
  });
  return ids;
}

function anyPosting(caller: Caller, accounts: readonly string[]): Posting {
  const from = Math.floor(Math.random() * accounts.length);
  const to = (from + 1 + Math.floor(Math.random() * (accounts.length - 1))) % accounts.length;
  const [debitAccountId = '', creditAccountId = ''] = [accounts[from], accounts[to]];
  const request = { ...caller, requestId: newId() };
  const identity = { id: newId(), idGiven: false, idempotencyKey: newId() };
  return {
    ...identity,
    ...PLAIN,
    caller: request,
    debitAccountId,
    creditAccountId,
    amount: 1n,
    metadata: {},
  };
}

/** Latencies in milliseconds of single transfers by clients that each wait for their answer. */
async function benchPoster(
  tenants: TenantDatabase,
  caller: Caller,
  accounts: readonly string[],
  until: number,
): Promise<number[]> {
  const poster = posterOver(tenants);
  const latencies: number[] = [];
  const client = async (): Promise<void> => {
    while (Date.now() < until) {
      const startedAt = performance.now();
      await poster.submit(caller, [anyPosting(caller, accounts)]);
      latencies.push(performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  await poster.stop();
  return latencies;
}

async function benchComparison(
  adminUrl: string,
  seconds: number,
): Promise<Pick<LedgerFigures, 'plainTransactions' | 'pgbench'>> {
  const url = new URL(adminUrl);
  url.pathname = `/${COMPARISON}`;
  await withClient(adminUrl, async (client) => {
    await client.query(`drop database if exists ${COMPARISON} with (force)`);
    await client.query(`create database ${COMPARISON}`);
  });
  try {
    return {
      plainTransactions: await benchPlain(url.href, seconds),
      pgbench: await runPgbench(url, seconds),
    };
  } finally {
    await withClient(adminUrl, (client) => client.query(`drop database ${COMPARISON} with (force)`));
  }
}

/** What one writes first: a transaction per transfer, without tenants, events, limits or idempotency. */
async function benchPlain(url: string, seconds: number): Promise<number> {
  await withClient(url, async (client) => {
    for (const text of PLAIN_TABLES) await client.query(text);
  });
  const until = Date.now() + seconds * 1_000;
  const client = (connection: Client): Promise<number> => transferUntil(connection, until);
  return perSecond(seconds, CONNECTIONS, () => withClient(url, client));
}

async function transferUntil(connection: Client, until: number): Promise<number> {
  const run = (name: string, text: string, values: unknown[] = []): Promise<unknown> =>
    connection.query({ name, text, values });
  let transfers = 0;
  for (; Date.now() < until; transfers += 1) {
    // In id order, or two transfers between the same accounts lock each other out.
    const from = Math.floor(Math.random() * (ACCOUNTS - 1));
    const to = from + 1 + Math.floor(Math.random() * (ACCOUNTS - 1 - from));
    await run('begin', 'begin');
    await run('debit', PLAIN_TRANSFER.debit, [from, 1]);
    await run('credit', PLAIN_TRANSFER.credit, [to, 1]);
    await run('insert', PLAIN_TRANSFER.insert, [newId(), from, to, 1]);
    await run('commit', 'commit');
  }
  return transfers;
}

async function runPgbench(url: URL, seconds: number): Promise<number | null> {
  const program = findPgbench();
  if (!program) return null;
  const env = { PGPASSWORD: decodeURIComponent(url.password), PATH: '/usr/bin:/bin' };
  const target = ['-h', url.hostname, '-p', url.port, '-U', url.username, COMPARISON];
  const run = (args: readonly string[]): Promise<{ stdout: string }> =>
    promisify(execFile)(program, [...args, ...target], { env });
  await run(['-i', '-q', '-s', '10']);
  const { stdout } = await run([
    '-b',
    'tpcb-like',
    '-M',
    'prepared',
    '-c',
    String(CONNECTIONS),
    '-j',
    '2',
    '-T',
    String(seconds),
  ]);
  return Math.round(Number(/tps = ([0-9.]+)/.exec(stdout)?.[1]));
}

function findPgbench(): string | undefined {
  const packaged = '/usr/lib/postgresql';
  const versions = existsSync(packaged) ? readdirSync(packaged) : [];
  return [...versions.map((version) => join(packaged, version, 'bin/pgbench')), '/usr/bin/pgbench'].find(
    existsSync,
  );
}

async function perSecond(seconds: number, parallel: number, loop: () => Promise<number>): Promise<number> {
  const counts = await Promise.all(Array.from({ length: parallel }, loop));
  return Math.round(counts.reduce((sum, count) => sum + count, 0) / seconds);
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round((sorted[Math.floor(sorted.length * share)] ?? 0) * 10) / 10;
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
