import { Client } from 'pg';
import { type BenchApi, startBenchApi } from './bench-api';
import type { BenchSystem } from './bench-system';
import { prepareDatabase } from './dev/engines';

const CLIENTS = 32;
/** Short turns, so that a machine that slows down meanwhile slows both alike; the first warms up. */
const ROUNDS = 10;
const ROUND_SECONDS = 1;

/** Reads a second of one account through the whole API, and the same over a database without isolation. */
export interface HttpReadFigures {
  readonly protected: number;
  readonly unprotected: number;
}

/**
 * Takes the isolation out of a database under a running API (it would refuse to start): the tenant becomes a setting that
 * nobody signs, and no policy is left. So what is measured is the whole of what isolation costs a read.
 */
const STRIP = `
  create or replace function tenancy.enter(signed_grant text) returns void language sql as
    $$ select set_config('holdfast.context', signed_grant, true) $$;
  do $$ declare protected regclass; begin
    for protected in select c.oid from pg_class c where c.relrowsecurity loop
      execute format('alter table %s disable row level security', protected);
    end loop;
  end $$`;

/** Measures both in turn, in one process that is servers and client. */
export async function benchHttpReads(system: BenchSystem): Promise<HttpReadFigures> {
  const isolated = await startReader(system, 'isolated');
  const stripped = await startReader(system, 'stripped');
  try {
    await administer(stripped.adminUrl, STRIP);
    const counts = [0, 0];
    for (let round = 0; round <= ROUNDS; round += 1) {
      for (const [index, reader] of [isolated, stripped].entries()) {
        const reads = await readFor(ROUND_SECONDS, reader);
        // The first round warms up.
        counts[index] = (counts[index] ?? 0) + (round > 0 ? reads : 0);
      }
    }
    const [protectedReads = 0, unprotected = 0] = counts.map((count) => count / (ROUNDS * ROUND_SECONDS));
    return { protected: protectedReads, unprotected };
  } finally {
    await Promise.all([isolated.api.stop(), stripped.api.stop()]);
  }
}

interface Reader {
  readonly adminUrl: string;
  readonly api: BenchApi;
  readonly path: string;
}

/** The API over a database of its own, and an account to read. */
async function startReader({ adminUrl, clickhouseUrl }: BenchSystem, database: string): Promise<Reader> {
  await administer(adminUrl, `create database ${database}`);
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  await prepareDatabase(url.href);
  const api = await startBenchApi({ adminUrl: url.href, clickhouseUrl }, CLIENTS);
  const account = { code: 'cash', asset: 'EUR/2', normalBalance: 'debit' };
  const { id } = await api.ask('/v1/ledger/accounts', account);
  return { adminUrl: url.href, api, path: `/v1/ledger/accounts/${id}` };
}

async function readFor(seconds: number, { api, path }: Reader): Promise<number> {
  const until = performance.now() + seconds * 1_000;
  let reads = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      await api.ask(path);
      reads += 1;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return reads;
}

async function administer(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
