import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { newId } from '@holdfast/kernel';
import { Client } from 'pg';
import { PLAIN_TABLES, PLAIN_TRANSFER } from './plain-transfers.sql';

/** What the ledger is compared with, on the same server and with its settings. */
export interface Comparison {
  /** Transfers a second by what one writes first: a transaction each, without tenants, events, limits or idempotency. */
  readonly plain: (seconds: number) => Promise<number>;
  /** Transactions a second of `pgbench -b tpcb-like -c 16 -j 2 -M prepared`; null where there is no pgbench. */
  readonly pgbench: (seconds: number) => Promise<number | null>;
}

/** As many as pgbench gets: beyond that a machine of two cores only switches between them. */
const CONNECTIONS = 16;
/** As many branches as connections, as pgbench's manual asks: with fewer it measures waiting for them. */
const SCALE = 16;
const ACCOUNTS = 10_000;
const DATABASE = 'holdfast_bench_ledger';

/** Prepares a database of its own for the comparison, and drops it afterwards. */
export async function withComparison<T>(
  adminUrl: string,
  work: (comparison: Comparison) => Promise<T>,
): Promise<T> {
  const url = new URL(adminUrl);
  url.pathname = `/${DATABASE}`;
  await withClient(adminUrl, async (client) => {
    await client.query(`drop database if exists ${DATABASE} with (force)`);
    await client.query(`create database ${DATABASE}`);
  });
  try {
    await withClient(url.href, async (client) => {
      for (const text of PLAIN_TABLES) await client.query(text);
    });
    const program = findPgbench();
    if (program) await runPgbench(program, url, ['-i', '-q', '-s', String(SCALE)]);
    return await work({
      plain: (seconds) => benchPlain(url.href, seconds),
      pgbench: async (seconds) => (program ? benchPgbench(program, url, seconds) : null),
    });
  } finally {
    await withClient(adminUrl, (client) => client.query(`drop database ${DATABASE} with (force)`));
  }
}

async function benchPlain(url: string, seconds: number): Promise<number> {
  const until = Date.now() + seconds * 1_000;
  const client = (): Promise<number> =>
    withClient(url, (connection: Client) => transferUntil(connection, until));
  const counts = await Promise.all(Array.from({ length: CONNECTIONS }, client));
  return Math.round(counts.reduce((sum, count) => sum + count, 0) / seconds);
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

async function benchPgbench(program: string, url: URL, seconds: number): Promise<number> {
  const load = ['-b', 'tpcb-like', '-M', 'prepared', '-c', String(CONNECTIONS), '-j', '2'];
  const printed = await runPgbench(program, url, [...load, '-T', String(seconds)]);
  return Math.round(Number(/tps = ([0-9.]+)/.exec(printed)?.[1]));
}

async function runPgbench(program: string, url: URL, args: readonly string[]): Promise<string> {
  const env = { PGPASSWORD: decodeURIComponent(url.password), PATH: '/usr/bin:/bin' };
  const target = ['-h', url.hostname, '-p', url.port, '-U', url.username, DATABASE];
  return (await promisify(execFile)(program, [...args, ...target], { env })).stdout;
}

function findPgbench(): string | undefined {
  const packaged = '/usr/lib/postgresql';
  const versions = existsSync(packaged) ? readdirSync(packaged) : [];
  return [...versions.map((version) => join(packaged, version, 'bin/pgbench')), '/usr/bin/pgbench'].find(
    existsSync,
  );
}

/** Runs work on a connection of its own. */
export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
