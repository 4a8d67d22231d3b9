import type { Posting, PostingTerms } from '../src/posting/post-batch.sql';

/** What limited accounts have at first: far more than the sound items of a sequence take. */
export const FUNDS = 1_000_000n;

/** What is drawn for the terms of an item. */
interface DrawnTerms {
  readonly shape: string;
  readonly seconds: number | null;
  readonly second: number;
}

/** What a changed request asks for besides; a time is left out again where it is no hold. */
export const OTHER_TERMS: readonly PostingTerms[] = [
  { effective_date: '2026-03-02' },
  // With the amount, which is filled in.
  { balancing: 'credit', amount: '0' },
  { min_balance_after: { credit: '-1' } },
  { timeout_seconds: 61 },
];

/** Terms that refuse nothing. */
export function soundTerms({ shape, seconds, second }: DrawnTerms): PostingTerms | null {
  const terms: PostingTerms = {
    ...(shape === 'hold' && seconds !== null && { timeout_seconds: seconds }),
    ...(second % 5 === 0 && { effective_date: `2026-02-${10 + (second % 15)}` }),
    ...(second % 7 === 0 && { min_balance_after: { debit: String(-4n * FUNDS) } }),
  };
  return Object.keys(terms).length > 0 ? terms : null;
}

/** Around the end of the closed period. */
export function day(draw: number): string {
  return draw % 2 ? `2026-02-0${1 + (draw % 9)}` : `2026-01-${23 + (draw % 9)}`;
}

export function dated(posting: Posting, date: string | null): Posting {
  return date === null ? posting : withTerms(posting, { effective_date: date });
}

export function withTerms(posting: Posting, terms: PostingTerms): Posting {
  return { ...posting, terms: { ...posting.terms, ...terms } };
}

export function unlinked(posting: Posting): Posting {
  const { linked, ...terms } = posting.terms ?? {};
  if (!linked) return posting;
  return { ...posting, terms: Object.keys(terms).length > 0 ? terms : null };
}
