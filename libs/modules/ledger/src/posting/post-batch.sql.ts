import { type Caller, newId } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** A transfer that somebody wants posted. */
export interface Posting {
  readonly caller: Caller;
  readonly id: string;
  /**
   * Whether the client chose the id; then a repeated idempotency key has to come with the same one. Otherwise the id is
   * made for this posting, and nobody else has it.
   */
  readonly idGiven: boolean;
  readonly idempotencyKey: string | null;
  readonly debitAccountId: string;
  readonly creditAccountId: string;
  readonly amount: bigint;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What came of a posting: `created`, `exists`, or the code of a refusal, with what the transfer was given. */
export interface PostingResult {
  readonly result: string;
  /** Whether this is the answer that an earlier posting with the same id or key was given. */
  readonly replayed: boolean;
  readonly id: string;
  readonly asset: string | null;
  readonly debitVersion: bigint | null;
  readonly creditVersion: bigint | null;
  readonly bookedAt: string | null;
}

interface ResultRow {
  readonly place: number;
  readonly result: string;
  readonly replayed: boolean;
  readonly id: string;
  readonly asset: string | null;
  readonly debit_version: bigint | null;
  readonly credit_version: bigint | null;
  readonly booked_at: string | null;
}

const POST_BATCH = statement<ResultRow>(
  'ledger.post_batch',
  `select place, result, replayed, id, asset, debit_version, credit_version, booked_at
   from ledger.post_batch($1::uuid[], $2::boolean[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[], $7::jsonb[],
     $8::uuid[], $9::text[], $10::text[], $11::text[], $12::text[], $13::int[])`,
);

/**
 * Posts in the order given and answers in the same order. It is the transaction's last statement: begin, context,
 * posting and commit cross the network together, so a single transfer costs one round trip.
 */
export async function postBatch(tx: TenantTx, postings: readonly Posting[]): Promise<PostingResult[]> {
  const rows = await tx.last(POST_BATCH, valuesOf(postings));
  return rows.toSorted((a, b) => a.place - b.place).map(showResult);
}

function showResult({
  result,
  replayed,
  id,
  asset,
  debit_version,
  credit_version,
  booked_at,
}: ResultRow): PostingResult {
  const versions = { debitVersion: debit_version, creditVersion: credit_version };
  return { result, replayed, id, asset, ...versions, bookedAt: booked_at };
}

function valuesOf(postings: readonly Posting[]): unknown[] {
  const each = <T>(pick: (posting: Posting) => T): T[] => postings.map(pick);
  const grants = [...new Set(each(({ caller }) => caller.grant))];
  const places = new Map(grants.map((grant, index) => [grant, index + 1]));
  return [
    plainArray(each((posting) => posting.id)),
    plainArray(each((posting) => posting.idGiven)),
    plainArray(each((posting) => posting.idempotencyKey)),
    plainArray(each((posting) => posting.debitAccountId)),
    plainArray(each((posting) => posting.creditAccountId)),
    plainArray(each((posting) => posting.amount)),
    each((posting) => JSON.stringify(posting.metadata)),
    plainArray(each(() => newId())),
    each(({ caller }) => caller.requestId),
    each(({ caller }) => caller.causationId ?? null),
    each(({ caller }) => caller.traceparent ?? null),
    grants,
    plainArray(each(({ caller }) => places.get(caller.grant) ?? null)),
  ];
}

/** PostgreSQL's text of an array whose elements need no quotes: the driver would look at each for them. */
function plainArray(elements: readonly (string | number | bigint | boolean | null)[]): string {
  return `{${elements.map((element) => element ?? 'null').join(',')}}`;
}
