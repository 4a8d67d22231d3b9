/** How many tokens a bucket holds, and how many flow in each second. */
export interface BucketShape {
  readonly size: number;
  readonly perSecond: number;
}

/** What became of a request for tokens. */
export interface Taking {
  readonly isAdmitted: boolean;
  /** When the bucket is full again, which is all that has to be kept of it: after a refusal as before. */
  readonly fullAtMs: number;
  /** Whole tokens that are left; 0 after a refusal, and of a bucket that is overdrawn. */
  readonly remaining: number;
  /** Milliseconds until a request that was refused would pass; 0 of one that passes. */
  readonly waitMs: number;
}

/** Sums of fractions of a millisecond are not exact: what is over by less than this is not over. */
const ROUNDING_MS = 0.001;

/**
 * Takes `cost` tokens of a bucket, if `needed` are there: as many, unless it is said that a request may overdraw the bucket.
 *
 * A bucket is one number, the instant at which it will be full: taking tokens moves that instant away by the time in which they flow in
 * again, and a request is refused for whose tokens it is further away than a bucket without them takes to fill. This is the generic cell
 * rate algorithm (ITU-T I.371): it needs no timer, and has no window at whose edge twice as much passes. So in any time at most the size,
 * what flows in, and `cost - needed` of one request pass.
 *
 * `fullAtMs`: as the last taking said, 0 of a bucket that nobody has taken from. `nowMs`: of a clock that nobody sets back. Requests that
 * need more than the bucket holds never pass.
 */
export function takeTokens(
  { size, perSecond }: BucketShape,
  fullAtMs: number,
  nowMs: number,
  cost: number,
  needed = cost,
): Taking {
  const tokenMs = 1_000 / perSecond;
  const fullInMs = Math.max(fullAtMs - nowMs, 0);
  const lateMs = fullInMs + (needed - size) * tokenMs;
  if (lateMs > ROUNDING_MS) return { isAdmitted: false, fullAtMs, remaining: 0, waitMs: Math.ceil(lateMs) };
  const missing = Math.ceil((fullInMs - ROUNDING_MS) / tokenMs + cost);
  const remaining = Math.min(size, Math.max(size - missing, 0));
  return { isAdmitted: true, fullAtMs: nowMs + fullInMs + cost * tokenMs, remaining, waitMs: 0 };
}
