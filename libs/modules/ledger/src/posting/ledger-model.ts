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
  answer: ModelResult;
}

const TOTAL_MAX = 2n ** 63n - 1n;

/**
 * What `ledger.post_batch` promises, for one tenant and one caller at a time, with nothing in mind but being read: the
 * tests hold the database against it.
 */
export class LedgerModel {
  private readonly attempts: Attempt[] = [];

  constructor(readonly accounts: readonly ModelAccount[]) {}

  post(batch: readonly Posting[]): ModelResult[] {
    const claimed = new Map<Posting, Attempt>();
    for (const posting of inOrderOfClaims(batch)) {
      if (this.find(posting)) continue;
      const attempt = { posting, answer: refusal(posting, '') };
      this.attempts.push(attempt);
      claimed.set(posting, attempt);
    }
    for (const posting of batch) {
      const attempt = claimed.get(posting);
      if (attempt) attempt.answer = this.decide(posting);
    }
    return batch.map((posting) => claimed.get(posting)?.answer ?? this.replay(posting));
  }

  private find({ id, idempotencyKey }: Posting): Attempt | undefined {
    const byKey =
      idempotencyKey && this.attempts.find(({ posting }) => posting.idempotencyKey === idempotencyKey);
    return byKey || this.attempts.find(({ posting }) => posting.id === id);
  }

  private decide(posting: Posting): ModelResult {
    const debited = this.accounts.find(({ id }) => id === posting.debitAccountId);
    const credited = this.accounts.find(({ id }) => id === posting.creditAccountId);
    if (posting.debitAccountId === posting.creditAccountId)
      return refusal(posting, 'ledger.accounts_must_differ');
    if (!debited || !credited) return refusal(posting, 'ledger.account_not_found');
    const code = refusalOf(debited, credited, posting.amount);
    if (code) return refusal(posting, code);
    debited.debits += posting.amount;
    credited.credits += posting.amount;
    const versions = { debitVersion: (debited.version += 1n), creditVersion: (credited.version += 1n) };
    return { result: 'created', replayed: false, id: posting.id, ...versions };
  }

  private replay(posting: Posting): ModelResult {
    const original = this.find(posting);
    if (!original) throw new Error('an item that is not claimed has a predecessor');
    const field = differingField(posting, original.posting);
    const { id, idempotencyKey } = original.posting;
    if (posting.idempotencyKey !== null && posting.idempotencyKey === idempotencyKey) {
      const same = !field && !(posting.idGiven && posting.id !== id);
      if (!same) return refusal(original.posting, 'idempotency.key_reused');
    }
    if (field) return refusal(original.posting, `ledger.exists_with_different_${field}`);
    const { answer } = original;
    return { ...answer, result: answer.result === 'created' ? 'exists' : answer.result, replayed: true };
  }
}

/** Items with a key claim first, in the order of their keys, then the others in the order of their ids. */
function inOrderOfClaims(batch: readonly Posting[]): Posting[] {
  const rank = ({ id, idempotencyKey }: Posting): string =>
    idempotencyKey ? `0${idempotencyKey}` : `1${id}`;
  return batch.toSorted((a, b) => (rank(a) < rank(b) ? -1 : Number(rank(a) > rank(b))));
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
