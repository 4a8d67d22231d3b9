/**
 * How long to wait before attempt `attempt` (counted from 1): a random time between 0 and `baseMs * 2^(attempt-1)`, at
 * most `capMs`. "Full jitter" of Marc Brooker, Exponential Backoff and Jitter (AWS, 2015): it spreads retries the most.
 */
export function fullJitterMs(attempt: number, baseMs: number, capMs: number): number {
  return Math.random() * Math.min(capMs, baseMs * 2 ** (attempt - 1));
}
