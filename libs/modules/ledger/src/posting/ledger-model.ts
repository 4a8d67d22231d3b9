import type { Posting } from './post-batch.sql';

/** An account of the model. */
export interface ModelAccount {
  readonly id: string;
  readonly asset: string;
  readonly limit: 'none' | 'debits_must_not_exceed_credits' | 'credits_must_not_exceed_debits';
  readonly closed: boolean;
  debits: bigint;
  credits: bigint;
  version: bigint;
}

/** What the model says came of a posting. */
export interface ModelResult {
  readonly result: string;
  readonly replayed: boolean;
  readonly id: string;
  readonly debitVersion: bigint | null;
  readonly creditVersion: bigint | null;
}

interface Attempt {
  readonly posting: Posting;
  readonly answer: ModelResult;
}

const TOTAL_MAX = 2n ** 63n - 1n;

/**
 * What `ledger.post_batch` promises, for one tenant and one caller at a time, with nothing in mind but being read: the
 * tests hold the database against it. A batch is its items one after the other.
 */
export class LedgerModel {
  /** By id. */
  private readonly attempts = new Map<string, Attempt>();
  /** By idempotency key: what came first under it. */
  private readonly requests = new Map<string, Posting>();

  constructor(readonly accounts: readonly ModelAccount[]) {}

  post(batch: readonly Posting[]): ModelResult[] {
    return batch.map((posting) => this.postOne(posting));
  }

  private postOne(posting: Posting): ModelResult {
    const { id, idempotencyKey } = posting;
    const request = idempotencyKey === null ? undefined : this.requests.get(idempotencyKey);
    if (request) return this.answerAgain(posting, request);
    if (idempotencyKey !== null) this.requests.set(idempotencyKey, posting);
    const known = this.attempts.get(id);
    if (known) return meet(posting, known);
    const answer = this.decide(posting);
    this.attempts.set(id, { posting, answer });
    return answer;
  }

  private answerAgain(posting: Posting, request: Posting): ModelResult {
    const known = this.attempts.get(request.id);
    if (!known) throw new Error('what came under a key has an attempt');
    const isSameId = posting.idGiven ? posting.id === request.id && request.idGiven : !request.idGiven;
    if (!isSameId || differingField(posting, request))
      return refusal(known.posting, 'idempotency.key_reused');
    return { ...meet(posting, known), replayed: true };
  }

  private decide(posting: Posting): ModelResult {
    const debited = this.accounts.find(({ id }) => id === posting.debitAccountId);
    const credited = this.accounts.find(({ id }) => id === posting.creditAccountId);
    if (!debited || !credited) return refusal(posting, 'ledger.account_not_found');
    if (debited === credited) return refusal(posting, 'ledger.accounts_must_differ');
    const code = refusalOf(debited, credited, posting.amount);
    if (code) return refusal(posting, code);
    debited.debits += posting.amount;
    credited.credits += posting.amount;
    const versions = { debitVersion: (debited.version += 1n), creditVersion: (credited.version += 1n) };
    return { result: 'created', replayed: false, id: posting.id, ...versions };
  }
}

/** What a posting is told whose id is known: what came of it, if it asks for the same. */
function meet(posting: Posting, known: Attempt): ModelResult {
  const field = differingField(posting, known.posting);
  if (field) return refusal(known.posting, `ledger.exists_with_different_${field}`);
  const { answer } = known;
  return { ...answer, result: answer.result === 'created' ? 'exists' : answer.result, replayed: true };
}

function refusalOf(debited: ModelAccount, credited: ModelAccount, amount: bigint): string | undefined {
  if (debited.closed || credited.closed) return 'ledger.account_closed';
  if (debited.asset !== credited.asset) return 'ledger.asset_mismatch';
  if (debited.debits + amount > TOTAL_MAX || credited.credits + amount > TOTAL_MAX) return 'ledger.overflow';
  if (debited.limit === 'debits_must_not_exceed_credits' && debited.debits + amount > debited.credits)
    return 'ledger.exceeds_credits';
  if (credited.limit === 'credits_must_not_exceed_debits' && credited.credits + amount > credited.debits)
    return 'ledger.exceeds_debits';
  return undefined;
}

function refusal({ id }: Posting, result: string): ModelResult {
  return { result, replayed: false, id, debitVersion: null, creditVersion: null };
}

function differingField(one: Posting, other: Posting): string | undefined {
  if (one.debitAccountId !== other.debitAccountId) return 'debit_account_id';
  if (one.creditAccountId !== other.creditAccountId) return 'credit_account_id';
  if (one.amount !== other.amount) return 'amount';
  return JSON.stringify(one.metadata) === JSON.stringify(other.metadata) ? undefined : 'metadata';
}
