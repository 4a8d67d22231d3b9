import type { Standing } from './token-buckets';

/** The response fields that tell a client how it stands. */
export interface RateLimitFields {
  readonly 'ratelimit-policy': string;
  readonly ratelimit: string;
}

/**
 * RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11): lists of structured-field strings with
 * parameters. `q` is what a bucket holds and `w` the seconds in which that much flows in; `r` is what is left and `t` the
 * seconds until there is more, after a refusal until the request would pass.
 */
export function rateLimitFields(standings: readonly Standing[]): RateLimitFields {
  return {
    'ratelimit-policy': standings
      .map(({ limit, shape }) => `"${limit}";q=${shape.size};w=${Math.ceil(shape.size / shape.perSecond)}`)
      .join(', '),
    ratelimit: standings
      .map(({ limit, remaining, waitMs }) => `"${limit}";r=${remaining};t=${seconds(waitMs)}`)
      .join(', '),
  };
}

/** Whole seconds, never too few. */
export function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000));
}
