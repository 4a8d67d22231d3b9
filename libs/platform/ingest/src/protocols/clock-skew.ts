/** Up to that clocks differ and requests travel; a correction would only add what the network took. */
const TOLERATED_MS = 10_000;

/**
 * What has to be added to the sender's instants to have ours: how long ago by our clock it sent what has just arrived. Within 10 s, and
 * where it does not say when it sent, nothing.
 */
export function clockSkewMs(sentAtMs: number, receivedAtMs: number): number {
  if (sentAtMs === 0) return 0;
  const skew = receivedAtMs - sentAtMs;
  return Math.abs(skew) > TOLERATED_MS ? skew : 0;
}
