import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { BooksRow } from './period';

// Posting does the same for whatever is dated back.
const INSERT = statement(
  'ledger.insert_books',
  'insert into ledger.books (tenant_id) values ($1) on conflict (tenant_id) do nothing',
);

// What is dated back holds the row with `for key share`, from before it is decided until it is committed. `for update` waits
// for that, where the lock of an update would not.
const LOCK = statement<BooksRow>(
  'ledger.lock_books',
  `select closed_through::text as closed_through, revision,
     (((ledger.clock() - interval '1 hour') at time zone 'utc')::date - 1)::text as closable_through
   from ledger.books
   where tenant_id = $1
   for update`,
);

const UPDATE = statement<BooksRow>(
  'ledger.update_books',
  `update ledger.books
   set closed_through = $2, revision = revision + 1
   where tenant_id = $1
   returning closed_through::text as closed_through, revision,
     (((ledger.clock() - interval '1 hour') at time zone 'utc')::date - 1)::text as closable_through`,
);

// Not counted in the books' revision: an imported tenant has that of the tenant it was exported from, and the events of
// that one on a stream of another id.
const NEXT_VERSION = statement<{ readonly version: bigint }>(
  'ledger.next_period_version',
  `select coalesce(max(stream_version), 0) + 1 as version
   from events.log
   where tenant_id = $1 and stream_type = $2 and stream_id = $1`,
);

/** The next version of the stream that tells of locked books. */
export async function nextPeriodVersion(tx: TenantTx, streamType: string): Promise<bigint> {
  return (await tx.row(NEXT_VERSION, [tx.tenantId, streamType]))?.version ?? 1n;
}

/** The tenant's books, once whatever is being dated back is committed; none can be until this transaction has ended. */
export async function lockBooks(tx: TenantTx): Promise<BooksRow> {
  await tx.rows(INSERT, [tx.tenantId]);
  return found(await tx.row(LOCK, [tx.tenantId]));
}

/** Writes up to which day locked books are closed, and counts their revision. */
export async function updateBooks(tx: TenantTx, closedThrough: string | null): Promise<BooksRow> {
  return found(await tx.row(UPDATE, [tx.tenantId, closedThrough]));
}

function found(row: BooksRow | undefined): BooksRow {
  if (!row) throw new Error('the books of a tenant are gone while they are locked');
  return row;
}
