import { type Caller, newId } from '@holdfast/kernel';
import * as fc from 'fast-check';
import type { LedgerModel } from '../src/posting/ledger-model';
import { emptyAccount, type ModelAccount } from '../src/posting/ledger-model-demands';
import { PLAIN, type Posting, type PostingTerms } from '../src/posting/post-batch.sql';
import { dated, day, FUNDS, OTHER_TERMS, soundTerms, unlinked, withTerms } from './random-terms';

/** Instants of the test begin here. */
export const FIRST_US = Date.UTC(2026, 2, 1) * 1_000;
export const CLOSED_THROUGH = '2026-01-31';

const LARGE = 2n ** 62n;

/** Places of the accounts of a sequence. Sound items use the first five; the purse has what items have just put there. */
export const PLACES = { purse: 5, closable: 6, dollars: 7, vaults: [8, 9], unknown: 10 } as const;
const SOUND = 5;

const SHAPES = [
  ...['transfer', 'transfer', 'transfer', 'hold', 'hold', 'hold', 'post', 'post', 'void', 'expiry'],
  ...['reversal', 'balanced', 'repeat', 'repeat'],
] as const;
const WILD = [
  'accounts',
  'accounts',
  'drain',
  'huge',
  'date',
  'minimum',
  'balancing',
  'target',
  'changed',
] as const;
const CHANGES = [
  'id',
  'named',
  'key',
  'kind',
  'amount',
  'metadata',
  'debit',
  'credit',
  'crossed',
  'terms',
] as const;

/** An item as it is drawn; what it becomes depends on what is open by then. `wild` ones may be refused, others never are. */
function itemOf(wildPercent: number) {
  return fc.record({
    shape: fc.constantFrom(...SHAPES),
    wild: fc.oneof(
      { weight: 100 - wildPercent, arbitrary: fc.constant(null) },
      { weight: wildPercent, arbitrary: fc.constantFrom(...WILD) },
    ),
    linked: fc.nat(9).map((draw) => draw >= 7),
    idGiven: fc.boolean(),
    keyed: fc.boolean(),
    first: fc.nat(1_000),
    second: fc.nat(1_000),
    amount: fc.bigInt(1n, 40n),
    large: fc.bigInt(0n, 3n * FUNDS),
    // Often what the clock moves on by, so that ends meet the very instant at which a hold expires.
    seconds: fc.oneof(fc.constant(null), fc.constantFrom(1, 7, 60), fc.integer({ min: 1, max: 60 })),
    changes: fc.uniqueArray(fc.constantFrom(...CHANGES), { minLength: 1, maxLength: 2 }),
  });
}
export type Item = ReturnType<typeof itemOf> extends fc.Arbitrary<infer T> ? T : never;

/** A batch as it is drawn, with what the clock does before it; that it goes back is among it. */
export interface Batch {
  readonly items: readonly Item[];
  readonly elapsedUs: number;
  /** Whether an account and the books are closed or reopened before it. */
  readonly toggles: boolean;
}

/** Batches of one tenant, one after the other. */
export function sequencesOf(wildPercent: number, batches: number): fc.Arbitrary<Batch[]> {
  const batch = fc.record({
    items: fc.array(itemOf(wildPercent), { minLength: 1, maxLength: 8 }),
    elapsedUs: fc.constantFrom(0, 0, 1, 1_000_000, 7_000_000, 60_000_000, -2_000_000),
    toggles: wildPercent === 0 ? fc.constant(false) : fc.nat(9).map((draw) => draw === 9),
  });
  return fc.array(batch, { minLength: batches, maxLength: batches });
}

/** The accounts of a sequence, as they are opened. */
export function randomAccounts(): ModelAccount[] {
  const account = (
    normalBalance: ModelAccount['normalBalance'],
    limit: ModelAccount['limit'] = 'none',
    asset = 'EUR/2',
  ): ModelAccount => emptyAccount({ id: newId(), asset, normalBalance, limit });
  return [
    account('debit'),
    account('credit'),
    account('credit', 'debits_must_not_exceed_credits'),
    account('debit', 'debits_must_not_exceed_credits'),
    account('debit', 'credits_must_not_exceed_debits'),
    account('credit', 'debits_must_not_exceed_credits'),
    account('debit'),
    account('debit', 'none', 'USD/2'),
    account('debit'),
    account('credit'),
  ];
}

/** Makes postings of what was drawn, with a view to what the model says is open. */
export class Postings {
  private readonly ids: readonly string[];
  private readonly earlier: Posting[] = [];
  private batch: Posting[] = [];
  /** Of the batch: those that ask for something again. */
  private readonly repeated = new Set<Posting>();
  private nowUs = 0;

  constructor(
    private readonly caller: Caller,
    private readonly model: LedgerModel,
  ) {
    this.ids = [...model.accounts.map(({ id }) => id), newId()];
  }

  /** The first batch, which gives limited accounts their money. */
  funds(): Posting[] {
    const pairs = [
      [0, 2],
      [0, 3],
      [4, 1],
    ];
    return pairs.map(([debit = 0, credit = 0]) =>
      this.posting({ ...this.legs(debit, credit), amount: FUNDS }),
    );
  }

  of(items: readonly Item[], nowUs: number): Posting[] {
    this.nowUs = nowUs;
    this.batch = [];
    for (const item of items) {
      for (const posting of this.make(item)) {
        const last = this.batch.at(-1);
        // The sweeper links nothing, and has its own ids.
        if (posting.kind === 'expiry' && last?.terms?.linked)
          this.batch[this.batch.length - 1] = unlinked(last);
        else if (posting.kind !== 'expiry') this.earlier.push(posting);
        this.batch.push(posting);
      }
    }
    const last = this.batch.pop();
    return last ? [...this.batch, unlinked(last)] : [];
  }

  private make(item: Item): Posting[] {
    const { linked, wild, shape } = item;
    const isLinkable = linked && shape !== 'expiry';
    if (wild !== null) return [this.wild(item, isLinkable)];
    const isChainOpen = this.batch.at(-1)?.terms?.linked ?? false;
    if (shape === 'repeat') {
      const named = this.earlier.filter(({ idGiven, idempotencyKey }) => idGiven || idempotencyKey !== null);
      const original = pick(
        named.filter(({ terms }) => !terms?.linked),
        item.first,
      );
      if (original && !isChainOpen) return [this.again(original)];
    }
    if (shape === 'balanced') return this.balanced(item);
    const made = this.sound(item);
    return [isLinkable && made.kind !== 'expiry' ? withTerms(made, { linked: true }) : made];
  }

  private sound(item: Item): Posting {
    const { shape, first, amount } = item;
    if (shape === 'post' || shape === 'void' || shape === 'expiry') {
      const isExpiry = shape === 'expiry';
      const hold = pick(this.holds(isExpiry), first);
      if (hold && isExpiry) return this.follower('expiry', hold.id);
      const part = shape === 'post' && hold && first % 2 === 0 && amount < hold.amount ? amount : 0n;
      if (hold) return this.follower(shape, hold.id, part, item);
    }
    if (shape === 'reversal') {
      const target = pick(this.reversible(), first);
      if (target) return dated(this.follower('reversal', target, 0n, item), first % 3 ? null : '2026-02-20');
    }
    const debit = first % SOUND;
    const legs = this.legs(debit, (debit + 1 + (item.second % (SOUND - 1))) % SOUND);
    const kind = shape === 'hold' ? 'hold' : 'transfer';
    return this.posting({ ...this.named(item), ...legs, kind, amount, terms: soundTerms(item) });
  }

  /** What was put into the purse before, up to the next or more, is taken from it. */
  private balanced(item: Item): Posting[] {
    const { amount, seconds } = item;
    const put = this.posting({ ...this.legs(0, PLACES.purse), amount });
    const terms = { balancing: 'debit', amount: String(amount + 5n) } as const;
    const taken = {
      ...this.legs(PLACES.purse, 1),
      kind: seconds === null ? 'transfer' : 'hold',
      terms,
    } as const;
    return [
      item.linked ? withTerms(put, { linked: true }) : put,
      this.posting({ ...this.named(item), ...taken, amount: amount + 5n }),
    ];
  }

  private wild(item: Item, linked: boolean): Posting {
    const made = this.anything(item);
    return linked && made.kind !== 'expiry' ? withTerms(made, { linked: true }) : made;
  }

  private anything(item: Item): Posting {
    const { wild, first, second, amount, large, shape } = item;
    const kind = shape === 'hold' ? 'hold' : 'transfer';
    const named = { ...this.named(item), kind } as const;
    const anywhere = this.legs(first % this.ids.length, second % this.ids.length);
    const limited = this.legs(2 + (first % 4), second % SOUND);
    const [vault, other] = first % 2 ? PLACES.vaults : PLACES.vaults.toReversed();
    switch (wild) {
      case 'drain':
        return this.posting({ ...named, ...limited, amount: large + 1n, terms: soundTerms(item) });
      case 'huge':
        return this.posting({ ...named, ...this.legs(vault ?? 0, other ?? 0), amount: LARGE + large });
      case 'date':
        return this.posting({ ...named, ...limited, amount, terms: { effective_date: day(first) } });
      case 'minimum': {
        const minimum = { debit: String(large - FUNDS), credit: String(large - 2n * FUNDS) };
        return this.posting({ ...named, ...limited, amount, terms: { min_balance_after: minimum } });
      }
      case 'balancing': {
        const balancing = (['debit', 'credit', 'both'] as const)[first % 3];
        const terms = { balancing, amount: String(large + 1n), ...soundTerms(item) } as PostingTerms;
        return this.posting({ ...named, ...limited, amount: large + 1n, terms });
      }
      case 'target':
        return this.stray(item);
      case 'changed':
        return this.changed(item);
      default:
        return this.posting({ ...named, ...anywhere, amount, terms: soundTerms(item) });
    }
  }

  /** A post, void, expiry or reversal of anything. */
  private stray(item: Item): Posting {
    const { shape, first, second, amount } = item;
    const target = pick([...this.earlier, ...this.batch], first)?.id ?? newId();
    const kinds = ['post', 'void', 'expiry', 'reversal'] as const;
    const kind = kinds.find((each) => each === shape) ?? kinds[second % 4] ?? 'post';
    const made = this.follower(kind, target, kind === 'post' && first % 3 ? amount : 0n, item);
    return dated(made, kind === 'reversal' && first % 3 === 0 ? day(second) : null);
  }

  /** An earlier one, with some things changed. */
  private changed(item: Item): Posting {
    const original = pick(this.earlier, item.first);
    const fresh = this.sound({ ...item, shape: 'transfer' });
    if (!original) return fresh;
    const { amount, debitAccountId, creditAccountId, id, idGiven, idempotencyKey } = fresh;
    const isPlain = original.targetId === null;
    const each: Record<(typeof CHANGES)[number], Partial<Posting>> = {
      id: { id, idGiven },
      // Known ids under known keys, also where the id was made for the original.
      named: { idGiven: true },
      key: { idempotencyKey },
      kind: isPlain ? { kind: original.kind === 'hold' ? 'transfer' : 'hold' } : { targetId: newId() },
      amount: isPlain ? { amount } : {},
      metadata: { metadata: { note: 'another' } },
      debit: isPlain ? { debitAccountId } : {},
      credit: isPlain ? { creditAccountId } : {},
      // The key of one known item with the id of another.
      crossed: { id: this.earlier.at(-1)?.id ?? id, idGiven: true },
      terms: isPlain
        ? { terms: withTerms(original, OTHER_TERMS[item.second % OTHER_TERMS.length] ?? {}).terms }
        : {},
    };
    const [first, second] = item.changes;
    const all = { ...original, ...(first && each[first]), ...(second && each[second]) };
    const { timeout_seconds: seconds, ...rest } = all.terms ?? {};
    const terms = { ...rest, ...(rest.amount !== undefined && { amount: String(all.amount) }) };
    const kept =
      all.kind === 'hold' && seconds !== undefined ? { ...terms, timeout_seconds: seconds } : terms;
    return this.again({ ...all, terms: Object.keys(kept).length > 0 ? kept : null });
  }

  /** The same request again: an id that the client does not choose is made anew for each try. */
  private again(original: Posting): Posting {
    const again = original.idGiven ? { ...original } : { ...original, id: newId() };
    this.repeated.add(again);
    return again;
  }

  private follower(
    kind: Posting['kind'],
    targetId: string,
    amount = 0n,
    item?: Pick<Item, 'idGiven' | 'keyed'>,
  ): Posting {
    const named = item && kind !== 'expiry' ? this.named(item) : {};
    const terms = amount > 0n ? { amount: String(amount) } : null;
    return this.posting({
      ...named,
      kind,
      targetId,
      debitAccountId: null,
      creditAccountId: null,
      amount,
      terms,
    });
  }

  /** Holds that nothing has ended, and whose time is over or not. */
  private holds(isOver: boolean): { id: string; amount: bigint }[] {
    const targeted = this.targeted();
    const placed = this.model.open('hold').filter(({ debitAccountId, creditAccountId, expiresAt }) => {
      // Where the clock has gone back, the items before may take the latest time of any account to these.
      const legs = this.model.accounts.filter(
        ({ id }) => !isOver || id === debitAccountId || id === creditAccountId,
      );
      const bookedUs = Math.max(this.nowUs, ...legs.map(({ bookedAtUs }) => bookedAtUs));
      return expiresAt === null ? !isOver : bookedUs >= microseconds(expiresAt) === isOver;
    });
    // The same goes for those of this batch: one that is placed now may meet the latest time when it ends.
    const latestUs = Math.max(this.nowUs, ...this.model.accounts.map(({ bookedAtUs }) => bookedAtUs));
    const fresh = this.batch
      .filter((posting) => !this.repeated.has(posting))
      .filter(({ kind, terms }) => !isOver && kind === 'hold' && !terms?.balancing)
      .filter(({ terms }) => this.nowUs + (terms?.timeout_seconds ?? Infinity) * 1_000_000 > latestUs);
    return [...placed.map(({ id, amount }) => ({ id, amount: amount ?? 0n })), ...fresh].filter(
      ({ id }) => !targeted.has(id),
    );
  }

  /** Small posted transfers that nothing has reversed, between accounts that sound items use. */
  private reversible(): string[] {
    const targeted = this.targeted();
    const sound = new Set<string | null>(this.ids.slice(0, SOUND));
    return this.model
      .open('transfer')
      .filter(({ amount }) => (amount ?? FUNDS) <= 40n)
      .filter(
        ({ debitAccountId, creditAccountId }) => sound.has(debitAccountId) && sound.has(creditAccountId),
      )
      .map(({ id }) => id)
      .filter((id) => !targeted.has(id));
  }

  private targeted(): Set<string | null> {
    return new Set(this.batch.map(({ targetId }) => targetId));
  }

  private legs(debit: number, credit: number): Pick<Posting, 'debitAccountId' | 'creditAccountId'> {
    return { debitAccountId: this.ids[debit] ?? null, creditAccountId: this.ids[credit] ?? null };
  }

  private named({ idGiven, keyed }: Pick<Item, 'idGiven' | 'keyed'>): Partial<Posting> {
    return { idGiven, idempotencyKey: keyed ? newId() : null };
  }

  private posting(changes: Partial<Posting>): Posting {
    const { caller } = this;
    return {
      ...{ caller, id: newId(), idGiven: false, idempotencyKey: null, metadata: {} },
      ...{ debitAccountId: null, creditAccountId: null, amount: 0n },
      ...PLAIN,
      ...changes,
    };
  }
}

function microseconds(instant: string): number {
  return Date.parse(instant) * 1_000 + Number(instant.slice(-4, -1));
}

function pick<T>(from: readonly T[], draw: number): T | undefined {
  return from[draw % Math.max(1, from.length)];
}
