import { check } from './tlog.errors';

/**
 * A size of a tree or an index in it, on its way in. What formats give out is a bigint, since they allow 64 bits; what
 * tiles give out is a number, since a tree that is held in tiles ends at 2^53 - 1 leaves.
 */
export type Count = number | bigint;

/** Sizes and indices in the formats are at most this: they are kept as unsigned 64-bit integers by all. */
const COUNT_MAX = 2n ** 64n - 1n;

/** A count as a number, where the tree is held in tiles. */
export function toNumber(count: Count, what: string): number {
  const value = Number(count);
  check(Number.isSafeInteger(value) && value >= 0, 'bad_argument', `${what} is not between 0 and 2^53 - 1`);
  return value;
}

/** A count as a bigint, where the formats' whole range is allowed. */
export function toBigInt(count: Count, what: string): bigint {
  check(typeof count === 'bigint' || Number.isSafeInteger(count), 'bad_argument', `${what} is no integer`);
  const value = BigInt(count);
  check(value >= 0n && value <= COUNT_MAX, 'bad_argument', `${what} is not between 0 and 2^64 - 1`);
  return value;
}

/** The decimal that the formats want: ASCII digits, no leading zeroes; undefined if the text is not that. */
export function parseCount(text: string): bigint | undefined {
  if (!/^(0|[1-9][0-9]{0,19})$/.test(text)) return undefined;
  const value = BigInt(text);
  return value <= COUNT_MAX ? value : undefined;
}
