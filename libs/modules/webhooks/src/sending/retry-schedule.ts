const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Between one attempt and the next, as Standard Webhooks publishes it: ten attempts, the first at once, over three days. */
export const RETRY_DELAYS_MS: readonly number[] = [
  5 * SECOND_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];

/** A receiver asks for more patience than this in vain: it would hold a delivery up for ever. */
export const RETRY_AFTER_MAX_MS = DAY_MS;

/** Every attempt comes up to a fifth later than published, so that a receiver that was away is not met by all at once. */
const JITTER = 0.2;

/** An endpoint of which nothing but failures has come for so long is switched off, as Standard Webhooks advises. */
export const FAILING_MAX_MS = 5 * DAY_MS;

/**
 * How long to wait after the failure of attempt `attempt` of a round (from 1), or undefined after the last. `share` is the
 * random number. What the receiver asks for by Retry-After is granted up to a day, and never shortens the wait.
 */
export function retryDelayMs(attempt: number, share: number, askedForMs = 0): number | undefined {
  const published = RETRY_DELAYS_MS[attempt - 1];
  if (published === undefined) return undefined;
  return Math.max(published * (1 + JITTER * share), Math.min(askedForMs, RETRY_AFTER_MAX_MS));
}
