import type { Posting, PostingKind, PostingResult } from './post-batch.sql';
import { isNewDemand, type ModelAccount, type Move, refusedDemand } from './ledger-model-demands';

interface Known {
  readonly posting: Posting;
  answer: PostingResult;
}

/** How a target has ended, as the result says it. */
const ENDINGS: Readonly<Partial<Record<PostingKind, string>>> = {
  post: 'ledger.hold_posted',
  void: 'ledger.hold_voided',
  expiry: 'ledger.hold_expired',
};

/** Compared in this order, before them kind, target, accounts and amount, and behind them the metadata. */
const TERMS = ['balancing', 'effective_date', 'linked', 'min_balance_after', 'timeout_seconds'] as const;

const LINKED_ITEM_FAILED = 'ledger.linked_item_failed';

/**
 * What the header of `ledger.post_items` promises, for one tenant and one transaction at a time, with nothing in mind but
 * being read: the tests hold the database against it. A batch is its chains one after the other, and a chain its items.
 */
export class LedgerModel {
  /** Up to which day no bookings are taken, that day included. */
  closedThrough: string | null = null;
  /** By id: what was asked for first, and what came of it, refusals included. */
  private readonly known = new Map<string, Known>();
  /** By idempotency key: what came first under it. */
  private readonly requests = new Map<string, Posting>();
  /** By id of a hold or transfer: the kind of what ended or reversed it. */
  private readonly ends = new Map<string, PostingKind>();

  constructor(readonly accounts: readonly ModelAccount[]) {}

  /** Posts a batch at an instant, in microseconds since 1970. */
  post(batch: readonly Posting[], nowUs: number): PostingResult[] {
    return chainsOf(batch).flatMap((chain) => this.postChain(chain, nowUs));
  }

  /** Holds that nothing has ended, and posted transfers that nothing has reversed, the oldest first. */
  open(kind: 'hold' | 'transfer'): PostingResult[] {
    const kinds: readonly PostingKind[] = kind === 'hold' ? ['hold'] : ['transfer', 'post'];
    return [...this.known.values()]
      .filter(({ posting, answer }) => answer.result === 'created' && kinds.includes(posting.kind))
      .filter(({ posting }) => !this.ends.has(posting.id))
      .map(({ answer }) => answer);
  }

  /** All of its items or none; a single item is a chain of one. */
  private postChain(chain: readonly Posting[], nowUs: number): PostingResult[] {
    const before = this.accounts.map((account) => ({ ...account }));
    const first: Known[] = [];
    let failed = false;
    // Read when the chain is through: what an item has done may be undone.
    const answers = chain.map((posting) => {
      const again = this.answerAgain(posting);
      if (again) {
        failed = true;
        return again;
      }
      const answer = failed ? refusal(posting, LINKED_ITEM_FAILED) : this.decide(posting, nowUs);
      failed ||= answer.result !== 'created';
      const fresh = { posting, answer };
      first.push(fresh);
      this.known.set(posting.id, fresh);
      return () => fresh.answer;
    });
    if (failed) this.undo(first, before);
    // The sweeper asks again under another id.
    for (const { posting, answer } of first)
      if (posting.kind === 'expiry' && answer.result !== 'created') this.known.delete(posting.id);
    return answers.map((answer) => answer());
  }

  private undo(chain: readonly Known[], before: readonly ModelAccount[]): void {
    for (const known of chain.filter(({ answer }) => answer.result === 'created')) {
      known.answer = refusal(known.posting, LINKED_ITEM_FAILED);
      if (known.posting.targetId !== null) this.ends.delete(known.posting.targetId);
    }
    for (const [place, account] of this.accounts.entries()) Object.assign(account, before[place]);
  }

  /** How a posting is answered whose key or id is known; undefined when it is the first. The key counts before the id. */
  private answerAgain(posting: Posting): (() => PostingResult) | undefined {
    const { id, idGiven, idempotencyKey } = posting;
    const request = idempotencyKey === null ? undefined : this.requests.get(idempotencyKey);
    if (idempotencyKey !== null && !request) this.requests.set(idempotencyKey, posting);
    const known = this.known.get(request?.id ?? id);
    if (!known) return undefined;
    if (!request) return () => meet(posting, known);
    const isSameId = idGiven ? id === request.id && request.idGiven : !request.idGiven;
    if (!isSameId || differingField(posting, request))
      return () => refusal(known.posting, 'idempotency.key_reused');
    return () => ({ ...meet(posting, known), replayed: true });
  }

  private decide(posting: Posting, nowUs: number): PostingResult {
    const move = posting.targetId === null ? this.begin(posting) : this.follow(posting, nowUs);
    if (typeof move === 'string') return refusal(posting, move);
    const refused = isNewDemand(posting) && refusedDemand(posting, move, this.closedThrough);
    if (refused) return refusal(posting, refused);
    const { debited, credited, amount, posted, held } = move;
    debited.debits += posted;
    debited.heldDebits += held;
    credited.credits += posted;
    credited.heldCredits += held;
    const bookedAtUs = bookingUs(move, nowUs);
    debited.bookedAtUs = credited.bookedAtUs = bookedAtUs;
    if (posting.targetId !== null) this.ends.set(posting.targetId, posting.kind);
    const { effective_date: date, timeout_seconds: seconds } = posting.terms ?? {};
    return {
      ...{ result: 'created', replayed: false, id: posting.id },
      ...{ debitAccountId: debited.id, creditAccountId: credited.id, asset: debited.asset, amount },
      ...{ debitVersion: (debited.version += 1n), creditVersion: (credited.version += 1n) },
      bookedAt: instant(bookedAtUs),
      effectiveDate: date ?? instant(bookedAtUs).slice(0, 10),
      expiresAt: seconds === undefined ? null : instant(bookedAtUs + seconds * 1_000_000),
    };
  }

  /** A transfer or a hold. */
  private begin({ kind, debitAccountId, creditAccountId, amount, terms }: Posting): Move | string {
    const [debited, credited] = [this.account(debitAccountId), this.account(creditAccountId)];
    if (!debited || !credited) return 'ledger.account_not_found';
    if (debited === credited) return 'ledger.accounts_must_differ';
    const free = [amount];
    const { balancing } = terms ?? {};
    if (balancing === 'debit' || balancing === 'both')
      free.push(debited.credits - debited.debits - debited.heldDebits);
    if (balancing === 'credit' || balancing === 'both')
      free.push(credited.debits - credited.credits - credited.heldCredits);
    const moved = free.reduce((least, each) => (each < least ? each : least));
    const [posted, held] = kind === 'hold' ? [0n, moved] : [moved, 0n];
    return { debited, credited, amount: moved, posted, held };
  }

  /** What ends a hold or reverses a transfer. */
  private follow({ kind, targetId, amount }: Posting, nowUs: number): Move | string {
    const target = this.known.get(targetId ?? '');
    const found = target?.answer.result === 'created' ? target : undefined;
    const debited = this.account(found?.answer.debitAccountId ?? null);
    const credited = this.account(found?.answer.creditAccountId ?? null);
    const ended = this.ends.get(targetId ?? '');
    if (kind === 'reversal') {
      if (!found || !debited || !credited) return 'ledger.transfer_not_found';
      if (!['transfer', 'post'].includes(found.posting.kind)) return 'ledger.not_reversible';
      if (ended) return 'ledger.already_reversed';
      const back = found.answer.amount ?? 0n;
      return { debited: credited, credited: debited, amount: back, posted: back, held: 0n };
    }
    if (found?.posting.kind !== 'hold' || !debited || !credited) return 'ledger.hold_not_found';
    if (ended) return ENDINGS[ended] ?? 'ledger.hold_not_found';
    const whole = found.answer.amount ?? 0n;
    const end: Move = { debited, credited, amount: whole, posted: 0n, held: -whole };
    const { expiresAt } = found.answer;
    const isOver = expiresAt !== null && instant(bookingUs(end, nowUs)) >= expiresAt;
    if (kind === 'expiry') return isOver ? end : 'ledger.hold_not_due';
    if (isOver) return 'ledger.hold_expired';
    if (kind === 'void') return end;
    if (amount > whole) return 'ledger.exceeds_hold';
    const posted = amount === 0n ? whole : amount;
    return { ...end, amount: posted, posted };
  }

  private account(id: string | null): ModelAccount | undefined {
    return this.accounts.find((account) => account.id === id);
  }
}

/** Items that are linked with the one behind them, and that one. */
function chainsOf(batch: readonly Posting[]): Posting[][] {
  const chains: Posting[][] = [];
  let isOpen = false;
  for (const posting of batch) {
    if (isOpen) chains.at(-1)?.push(posting);
    else chains.push([posting]);
    isOpen = posting.terms?.linked ?? false;
  }
  return chains;
}

/** What a posting is told whose id is known: what came of it, if it asks for the same. */
function meet(posting: Posting, { posting: original, answer }: Known): PostingResult {
  const field = differingField(posting, original);
  if (field) return refusal(original, `ledger.exists_with_different_${field}`);
  return { ...answer, result: answer.result === 'created' ? 'exists' : answer.result, replayed: true };
}

function differingField(one: Posting, other: Posting): string | undefined {
  if (one.kind !== other.kind) return 'kind';
  if (one.targetId !== other.targetId) return 'target_id';
  if (one.debitAccountId !== other.debitAccountId) return 'debit_account_id';
  if (one.creditAccountId !== other.creditAccountId) return 'credit_account_id';
  if (one.amount !== other.amount) return 'amount';
  const differs = (a: unknown, b: unknown): boolean => JSON.stringify(a) !== JSON.stringify(b);
  const term = TERMS.find((name) => differs(one.terms?.[name], other.terms?.[name]));
  return term ?? (differs(one.metadata, other.metadata) ? 'metadata' : undefined);
}

/** The time of an account never goes back, whatever the clock does. */
function bookingUs({ debited, credited }: Move, nowUs: number): number {
  return Math.max(nowUs, debited.bookedAtUs, credited.bookedAtUs);
}

function instant(us: number): string {
  const milliseconds = new Date(Math.floor(us / 1_000)).toISOString().slice(0, -1);
  return `${milliseconds}${String(us % 1_000).padStart(3, '0')}Z`;
}

function refusal({ id }: Posting, result: string): PostingResult {
  return {
    ...{
      result,
      replayed: false,
      id,
      debitAccountId: null,
      creditAccountId: null,
      asset: null,
      amount: null,
    },
    ...{ debitVersion: null, creditVersion: null, bookedAt: null, effectiveDate: null, expiresAt: null },
  };
}
