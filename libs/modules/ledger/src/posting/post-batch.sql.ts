import { type Caller, newId } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/**
 * What a posting asks for: `transfer` both legs at once, `hold` the same but pending until a `post`, `void` or `expiry` of
 * it; `reversal` a posted transfer the other way round. The migration that created `ledger.post_items` has the table.
 */
export type PostingKind = 'transfer' | 'hold' | 'post' | 'void' | 'expiry' | 'reversal';

/** What a transfer or hold may ask for besides, by the names that the database knows. */
export interface PostingTerms {
  /** At most the amount, and as much as the named side leaves free. */
  readonly balancing?: 'debit' | 'credit' | 'both';
  /** What is free afterwards at least, by the account's normal balance, in minor units. */
  readonly min_balance_after?: { readonly debit?: string; readonly credit?: string };
  /** The day that it counts for, as `YYYY-MM-DD`; otherwise the day of booking in UTC. */
  readonly effective_date?: string;
  /** Of a hold: after how long it ends by itself. */
  readonly timeout_seconds?: number;
  /** The amount, where less may move: of a balancing transfer, and of a hold that is posted in part. */
  readonly amount?: string;
  /** Takes effect with the next item or not at all. */
  readonly linked?: true;
}

/** Something that somebody wants posted. */
export interface Posting {
  readonly caller: Caller;
  readonly id: string;
  /**
   * Whether the client chose the id; then a repeated idempotency key has to come with the same one. Otherwise the id is
   * made for this posting, and nobody else has it.
   */
  readonly idGiven: boolean;
  readonly idempotencyKey: string | null;
  readonly kind: PostingKind;
  /** The hold that ends or the transfer that is reversed; null for a transfer and a hold. */
  readonly targetId: string | null;
  /** Null where the target has the accounts. */
  readonly debitAccountId: string | null;
  readonly creditAccountId: string | null;
  /** Zero where the target has the amount. */
  readonly amount: bigint;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Null for none, never an empty object: requests are compared. */
  readonly terms: PostingTerms | null;
  /** Whether the answer is to tell what the transfer was given, and not the result alone. */
  readonly detailed: boolean;
}

/** The fields of a transfer that asks for nothing besides. */
export const PLAIN = { kind: 'transfer', targetId: null, terms: null, detailed: true } as const;

/**
 * What came of a posting: `created`, `exists`, or the code of a refusal, with what the transfer was given. That is null for
 * a refusal, and for a transfer that was created by a posting which is not `detailed`.
 */
export interface PostingResult {
  readonly result: string;
  /** Whether this is the answer that an earlier posting with the same id or key was given. */
  readonly replayed: boolean;
  readonly id: string;
  readonly debitAccountId: string | null;
  readonly creditAccountId: string | null;
  readonly asset: string | null;
  /** What moved, is held, or was given back. */
  readonly amount: bigint | null;
  readonly debitVersion: bigint | null;
  readonly creditVersion: bigint | null;
  readonly bookedAt: string | null;
  readonly effectiveDate: string | null;
  /** When a hold ends by itself. */
  readonly expiresAt: string | null;
}

interface ResultRow {
  readonly place: number;
  readonly result: string;
  readonly replayed: boolean;
  readonly id: string;
  readonly debit_account_id: string | null;
  readonly credit_account_id: string | null;
  readonly asset: string | null;
  readonly amount: bigint | null;
  readonly debit_version: bigint | null;
  readonly credit_version: bigint | null;
  readonly booked_at: string | null;
  readonly effective_date: string | null;
  readonly expires_at: string | null;
}

const POST_ITEMS = statement<ResultRow>(
  'ledger.post_items',
  `select place, result, replayed, id, debit_account_id, credit_account_id, asset, amount, debit_version, credit_version,
     booked_at, effective_date, expires_at
   from ledger.post_items($1::uuid[], $2::boolean[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::int[], $8::int[],
     $9::bigint[], $10::jsonb[], $11::jsonb[], $12::boolean[], $13::boolean[], $14::uuid[], $15::text[], $16::text[],
     $17::text[], $18::text[], $19::int[])`,
);

/** Ids for the events of postings that take effect. */
export const eventIdsFor = (postings: readonly Posting[]): string[] => postings.map(() => newId());

/**
 * Posts in the order given and answers in the same order. It is the transaction's last statement: begin, context,
 * posting and commit cross the network together, so a single transfer costs one round trip.
 */
export async function postBatch(
  tx: TenantTx,
  postings: readonly Posting[],
  eventIds: readonly string[] = eventIdsFor(postings),
): Promise<PostingResult[]> {
  refuseOpenChain(postings);
  return resultsOf(postings, await tx.last(POST_ITEMS, valuesOf(postings, eventIds)));
}

/** The same in the middle of a transaction. */
export async function postWithin(
  tx: TenantTx,
  postings: readonly Posting[],
  eventIds: readonly string[] = eventIdsFor(postings),
): Promise<PostingResult[]> {
  refuseOpenChain(postings);
  return resultsOf(postings, await tx.rows(POST_ITEMS, valuesOf(postings, eventIds)));
}

/** A chain that was cut would take effect in parts. */
function refuseOpenChain(postings: readonly Posting[]): void {
  if (postings.at(-1)?.terms?.linked) throw new Error('the last posting of a batch is linked');
}

function resultsOf(postings: readonly Posting[], rows: readonly ResultRow[]): PostingResult[] {
  const results = postings.map(({ id }): PostingResult => ({ ...CREATED, id }));
  for (const row of rows) results[row.place - 1] = showResult(row);
  return results;
}

/** Of what no row is answered for. */
const CREATED = showResult({
  ...{
    place: 0,
    result: 'created',
    replayed: false,
    id: '',
    debit_account_id: null,
    credit_account_id: null,
  },
  ...{ asset: null, amount: null, debit_version: null, credit_version: null },
  ...{ booked_at: null, effective_date: null, expires_at: null },
});

function showResult(row: ResultRow): PostingResult {
  const { result, replayed, id, asset, amount } = row;
  const accounts = { debitAccountId: row.debit_account_id, creditAccountId: row.credit_account_id };
  const versions = { debitVersion: row.debit_version, creditVersion: row.credit_version };
  const times = { bookedAt: row.booked_at, effectiveDate: row.effective_date, expiresAt: row.expires_at };
  return { result, replayed, id, ...accounts, asset, amount, ...versions, ...times };
}

function valuesOf(postings: readonly Posting[], eventIds: readonly string[]): unknown[] {
  const each = <T>(pick: (posting: Posting) => T): T[] => postings.map(pick);
  const grants = [...new Set(each(({ caller }) => caller.grant))];
  const places = new Map(grants.map((grant, index) => [grant, index + 1]));
  const legs = postings.flatMap(({ debitAccountId, creditAccountId }) => [debitAccountId, creditAccountId]);
  // In the order of their bytes, in which the database locks them. Ids are in lower case here.
  const accounts = [...new Set(legs)].filter((id) => id !== null).toSorted();
  const accountPlaces = new Map(accounts.map((id, index) => [id, index + 1]));
  const placeOf = (id: string | null): number => (id === null ? 0 : (accountPlaces.get(id) ?? 0));
  return [
    plainArray(each((posting) => posting.id)),
    plainArray(each((posting) => posting.idGiven)),
    plainArray(each((posting) => posting.idempotencyKey)),
    plainArray(each((posting) => posting.kind)),
    plainArray(each((posting) => posting.targetId)),
    plainArray(accounts),
    plainArray(each(({ debitAccountId }) => placeOf(debitAccountId))),
    plainArray(each(({ creditAccountId }) => placeOf(creditAccountId))),
    plainArray(each((posting) => posting.amount)),
    each((posting) => JSON.stringify(posting.metadata)),
    each(({ terms }) => (terms ? JSON.stringify(terms) : null)),
    plainArray(each(({ terms }) => terms?.linked ?? false)),
    plainArray(each(({ detailed }) => detailed)),
    plainArray(eventIds),
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
