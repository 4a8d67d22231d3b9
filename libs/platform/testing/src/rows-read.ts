import { statement, type Transaction } from '@holdfast/database';

const ROWS_READ = statement<{ readonly rows: number }>(
  'test.rows_read',
  `select sum(seq_tup_read + idx_tup_fetch)::int as rows
   from pg_stat_xact_user_tables where schemaname || '.' || relname = any ($1)`,
);

/** Rows that the transaction has read of these tables so far, those included that it has passed over: what a page costs, without a clock. */
export async function rowsRead(tx: Transaction, ...tables: readonly string[]): Promise<number> {
  return (await tx.row(ROWS_READ, [tables]))?.rows ?? 0;
}
