import { type Caller, newId } from '@holdfast/kernel';
import type { TenantDatabase } from '@holdfast/tenancy';
import type { Client } from 'pg';
import { DURABILITY, HOT_UPDATES, LOOK_AT_STORAGE, OPEN_ACCOUNTS } from './bench-accounts.sql';
import { withClient, withComparison } from './comparison.bench';
import { PLAIN, postBatch, type Posting } from './posting/post-batch.sql';
import { posterOver } from './posting/poster';

/** What the bench runs on. The tenant gets accounts and transfers that stay there. */
export interface LedgerBenchOptions {
  /** A superuser's connection string: the things compared with get a database of their own on the same server. */
  readonly adminUrl: string;
  readonly tenants: TenantDatabase;
  /** A caller of one tenant, always the same, whose grant is good for minutes to come. */
  readonly renewCaller: () => Promise<Caller>;
  /** How long each of some forty windows takes. */
  readonly seconds: number;
  readonly say: (line: string) => void;
}

/** Batches of one size over so many accounts: how many transfers a second, refused ones included. */
export interface BatchFigure {
  readonly batch: number;
  readonly accounts: number;
  readonly refusedShare: number;
  readonly connections: number;
  readonly perSecond: number;
}

/** What a transfer leaves behind, in bytes. */
export interface StorageFigures {
  readonly wal: number;
  readonly transfersHeap: number;
  readonly transfersIndexes: number;
  readonly eventsHeap: number;
  readonly eventsIndexes: number;
}

/** Transfers a second, measured one after the other on one machine and one server. */
export interface LedgerFigures {
  readonly durability: Readonly<Record<string, string>>;
  readonly batches: readonly BatchFigure[];
  readonly singles: { readonly perSecond: number; readonly p50Ms: number; readonly p99Ms: number };
  /** By windows before, between and behind those of batches. */
  readonly plain: readonly number[];
  /** Empty where there is no pgbench. */
  readonly pgbench: readonly number[];
  /** Of batches of 2,000 over 10,000 accounts. */
  readonly storage: StorageFigures;
  /** The share of updates of accounts that touched no index. */
  readonly hotShare: number;
}

const BATCHES = [1, 100, 1_000, 2_000];
const ACCOUNTS = [2, 100, 10_000, 1_000_000];
const ACCOUNTS_MAX = 1_000_000;
const REFUSED_SHARES = [0, 0.05];
const CLIENTS = 64;
/** Where storage is measured: what the ledger is meant for. */
const USUAL = { batch: 2_000, accounts: 10_000 };
/** Of the account that may not be debited. */
const POOR = 0;

type Cell = Omit<BatchFigure, 'perSecond'>;

/** Measures transfers through the batch function and the poster, against plain SQL and pgbench, in one run. */
export async function benchLedger(options: LedgerBenchOptions): Promise<LedgerFigures> {
  const { adminUrl, seconds, say } = options;
  return withClient(adminUrl, (admin) =>
    withComparison(adminUrl, async (comparison) => {
      await openAccounts(admin, (await options.renewCaller()).tenantId, say);
      const [plain, pgbench]: [number[], number[]] = [[], []];
      const compare = async (): Promise<void> => {
        plain.push(await comparison.plain(seconds));
        const perSecond = await comparison.pgbench(seconds * 2);
        if (perSecond !== null) pgbench.push(perSecond);
        say(`plain ${plain.at(-1)}/s, pgbench ${pgbench.at(-1) ?? 'not installed'}`);
      };
      const measured = async (cells: readonly Cell[]): Promise<Measured[]> => {
        const all: Measured[] = [];
        for (const cell of cells) all.push(await benchBatches(options, admin, cell));
        return all;
      };
      await compare();
      const alone = await measured(cellsOf(1, BATCHES, REFUSED_SHARES));
      await compare();
      const beside = await measured(cellsOf(2, [100, 2_000], [0]));
      const singles = await benchPoster(options);
      await compare();
      const usual = alone.find(
        ({ figure }) =>
          figure.batch === USUAL.batch && figure.accounts === USUAL.accounts && figure.refusedShare === 0,
      );
      if (!usual) throw new Error('the usual batch was not measured');
      const durability = await firstRow<Record<string, string>>(admin, DURABILITY);
      const batches = [...alone, ...beside].map(({ figure }) => figure);
      const hotShare = await hotShareOf(admin);
      return { durability, batches, singles, plain, pgbench, storage: usual.storage, hotShare };
    }),
  );
}

function cellsOf(connections: number, batches: readonly number[], shares: readonly number[]): Cell[] {
  return ACCOUNTS.flatMap((accounts) =>
    shares.flatMap((refusedShare) =>
      batches.map((batch) => ({ batch, accounts, refusedShare, connections })),
    ),
  );
}

async function openAccounts(admin: Client, tenantId: string, say: (line: string) => void): Promise<void> {
  const startedAt = Date.now();
  await admin.query(OPEN_ACCOUNTS, [tenantId, ACCOUNTS_MAX]);
  await admin.query('vacuum analyze ledger.accounts');
  // Of its own accord it would come in the middle of a window.
  await admin.query('checkpoint');
  say(`${ACCOUNTS_MAX} accounts opened in ${Math.round((Date.now() - startedAt) / 1_000)} s`);
}

interface Measured {
  readonly figure: BatchFigure;
  readonly storage: StorageFigures;
}

/** Posts one batch after the other on each connection, as the endpoint for batches does, for one window. */
async function benchBatches(options: LedgerBenchOptions, admin: Client, cell: Cell): Promise<Measured> {
  const { tenants, say, seconds } = options;
  const caller = await options.renewCaller();
  const loop = async (until: number): Promise<number> => {
    let posted = 0;
    while (Date.now() < until) {
      const postings = Array.from({ length: cell.batch }, () => anyPosting(caller, cell));
      const results = await tenants.transaction(caller, (tx) => postBatch(tx, postings));
      posted += results.length;
    }
    return posted;
  };
  await loop(Date.now() + 200);
  const before = await lookAtStorage(admin);
  const startedAt = performance.now();
  const until = Date.now() + seconds * 1_000;
  const counts = await Promise.all(Array.from({ length: cell.connections }, () => loop(until)));
  const took = (performance.now() - startedAt) / 1_000;
  const posted = counts.reduce((sum, count) => sum + count, 0);
  const after = await lookAtStorage(admin);
  const each = (name: keyof StorageFigures): number => Math.round((after[name] - before[name]) / posted);
  const figure = { ...cell, perSecond: Math.round(posted / took) };
  say(
    `batches of ${cell.batch} over ${cell.accounts} accounts, ${cell.refusedShare * 100} % refused, ${cell.connections} connections: ${figure.perSecond}/s`,
  );
  return {
    figure,
    storage: {
      wal: each('wal'),
      transfersHeap: each('transfersHeap'),
      transfersIndexes: each('transfersIndexes'),
      eventsHeap: each('eventsHeap'),
      eventsIndexes: each('eventsIndexes'),
    },
  };
}

function anyPosting(caller: Caller, { accounts, refusedShare }: Cell): Posting {
  const from = 1 + Math.floor(Math.random() * accounts);
  const to = 1 + ((from + Math.floor(Math.random() * (accounts - 1))) % accounts);
  const isRefused = Math.random() < refusedShare;
  return {
    ...PLAIN,
    detailed: false,
    caller: { ...caller, requestId: newId() },
    id: newId(),
    idGiven: true,
    idempotencyKey: null,
    debitAccountId: accountId(isRefused ? POOR : from),
    creditAccountId: accountId(to),
    amount: 1n,
    metadata: {},
  };
}

const accountId = (place: number): string =>
  `00000000-0000-7000-8000-${place.toString(16).padStart(12, '0')}`;

/** Single transfers by clients that each wait for their answer, as requests with an idempotency key are. */
async function benchPoster({
  tenants,
  renewCaller,
  seconds,
}: LedgerBenchOptions): Promise<LedgerFigures['singles']> {
  const caller = await renewCaller();
  const poster = posterOver(tenants);
  const latencies: number[] = [];
  const until = Date.now() + seconds * 1_000;
  const cell = { ...USUAL, refusedShare: 0, connections: 1 };
  const client = async (): Promise<void> => {
    while (Date.now() < until) {
      const startedAt = performance.now();
      const key = { idempotencyKey: newId(), idGiven: false, detailed: true };
      await poster.submit(caller, [{ ...anyPosting(caller, cell), ...key }]);
      latencies.push(performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  await poster.stop();
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0;
  return { perSecond: Math.round(sorted.length / seconds), p50Ms: at(0.5), p99Ms: at(0.99) };
}

async function lookAtStorage(admin: Client): Promise<StorageFigures> {
  const row = await firstRow<Record<string, number>>(admin, LOOK_AT_STORAGE);
  const of = (name: string): number => row[name] ?? 0;
  return {
    wal: of('wal'),
    transfersHeap: of('transfers_heap'),
    transfersIndexes: of('transfers_indexes'),
    eventsHeap: of('events_heap'),
    eventsIndexes: of('events_indexes'),
  };
}

async function hotShareOf(admin: Client): Promise<number> {
  const { hot = 0, updates = 1 } = await firstRow<Record<string, number>>(admin, HOT_UPDATES);
  return hot / updates;
}

async function firstRow<Row extends object>(admin: Client, text: string): Promise<Row> {
  const { rows } = await admin.query<Row>(text);
  const [row] = rows;
  if (!row) throw new Error(`no row came of ${text}`);
  return row;
}
