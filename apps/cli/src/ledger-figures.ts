import type { BatchFigure, LedgerFigures } from '../../../libs/modules/ledger/src/ledger.bench';
import type { HttpFigures } from './http-transfers.bench';

/** The figures of the ledger for people: each as transfers a second, and as a multiple of pgbench and of plain SQL. */
export function ledgerText(figures: LedgerFigures, http: HttpFigures): string {
  const plain = median(figures.plain);
  const pgbench = median(figures.pgbench);
  const times = (perSecond: number): string =>
    `${perSecond}/s ${ratio(perSecond, pgbench)} pgbench ${ratio(perSecond, plain)} plain`;
  const { singles, storage } = figures;
  return [
    `PostgreSQL ${figures.durability['version']}, fsync ${figures.durability['fsync']}, synchronous_commit ${figures.durability['synchronous_commit']}, full_page_writes ${figures.durability['full_page_writes']}`,
    `pgbench -b tpcb-like -c 16 -j 2 -M prepared -s 16: ${Math.round(pgbench)}/s, the median of ${figures.pgbench.join(', ')}`,
    `plain SQL, one transaction a transfer, 16 connections: ${Math.round(plain)}/s, the median of ${figures.plain.join(', ')}`,
    'batches, as transfers/s (× pgbench, × plain):',
    ...batchTable(figures.batches, pgbench, plain),
    `two accounts against 10,000, in batches of 2,000: ${ratio(find(figures, 2), find(figures, 10_000))}`,
    `singles through the poster, 64 clients in the same process: ${times(singles.perSecond)}, p50 ${ms(singles.p50Ms)}, p99 ${ms(singles.p99Ms)}`,
    `singles over HTTP, 64 clients in a process of their own: ${times(http.perSecond)}, p50 ${ms(http.p50Ms)}, p99 ${ms(http.p99Ms)}`,
    `memory of the API's process: ${http.heapMb.join(' → ')} MB live, ${http.residentMb.join(' → ')} MB resident`,
    `bytes a transfer: ${storage.transfersHeap} + ${storage.transfersIndexes} of indexes in ledger.transfers, ${storage.eventsHeap} + ${storage.eventsIndexes} in events.log, ${storage.wal} of write-ahead log`,
    `updates of accounts that touched no index (HOT): ${(figures.hotShare * 100).toFixed(2)} %`,
  ].join('\n');
}

/** A line for each number of accounts and share of refusals, a column for each size of batches. */
function batchTable(batches: readonly BatchFigure[], pgbench: number, plain: number): string[] {
  const sizes = [...new Set(batches.map(({ batch }) => batch))];
  const lines = Map.groupBy(batches, rowText);
  const row = (title: string, cells: readonly string[]): string =>
    `  ${title.padEnd(44)}${cells.map((cell) => cell.padStart(24)).join('')}`;
  const cell = (figures: readonly BatchFigure[], size: number): string => {
    const perSecond = figures.find(({ batch }) => batch === size)?.perSecond;
    if (perSecond === undefined) return '';
    return `${perSecond} (${(perSecond / pgbench).toFixed(2)}, ${(perSecond / plain).toFixed(1)})`;
  };
  const title = row('', sizes.map(String));
  return [
    title,
    ...[...lines].map(([text, figures]) =>
      row(
        text,
        sizes.map((size) => cell(figures, size)),
      ),
    ),
  ];
}

function rowText({ accounts, refusedShare, connections }: BatchFigure): string {
  const refused = refusedShare > 0 ? `, ${refusedShare * 100} % refused` : '';
  return `${accounts} accounts${refused}${connections > 1 ? `, ${connections} connections` : ''}`;
}

function find({ batches }: LedgerFigures, accounts: number): number {
  const found = batches.find(
    (figure) =>
      figure.accounts === accounts &&
      figure.batch === 2_000 &&
      figure.connections === 1 &&
      figure.refusedShare === 0,
  );
  return found?.perSecond ?? Number.NaN;
}

/** Not a number where nothing was measured. */
function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const ms = (value: number): string => `${value.toFixed(1)} ms`;
const ratio = (one: number, other: number): string => `${(one / other).toFixed(2)} ×`;
