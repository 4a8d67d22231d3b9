import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

/** How many tokens a bucket holds, and how many flow in each second. */
export interface BucketShape {
  readonly size: number;
  readonly perSecond: number;
}

/** Buckets that differ from a full one, per process and limiter. Beyond this the one longest untouched counts as full. */
const BUCKETS_MAX = 50_000;

/** Sums of fractions of a millisecond are not exact: what is over by less than this is not over. */
const ROUNDING_MS = 0.001;

/**
 * Token buckets of one shape in the memory of this process.
 *
 * A bucket is one number, the instant at which it will be full: taking tokens moves that instant away by the time in
 * which they flow in again, and a request is refused that would move it further than an empty bucket takes to fill. This
 * is the generic cell rate algorithm (ITU-T I.371), which needs no timer and has no window at whose edge twice as much
 * passes; RateLimiterMemory counts in such windows, with a timer for each. `TAKE_TOKENS` is the same in Redis.
 */
export class TokenBucketMemory extends RateLimiterMemory {
  private readonly fullAtMs = new LRUCache<string, number>({ max: BUCKETS_MAX });

  constructor(shape: BucketShape) {
    super(limiterOptions(shape));
  }

  override consume(key: string, cost = 1): Promise<RateLimiterRes> {
    const nowMs = performance.now();
    const tokenMs = this.msDuration / this.points;
    const fullInMs = Math.max((this.fullAtMs.get(key) ?? 0) - nowMs, 0) + cost * tokenMs;
    const lateMs = fullInMs - this.msDuration;
    if (lateMs > ROUNDING_MS)
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- Limiters refuse in this way.
      return Promise.reject(new RateLimiterRes(0, Math.ceil(lateMs), this.points + 1));
    this.fullAtMs.set(key, nowMs + fullInMs);
    const taken = Math.ceil((fullInMs - ROUNDING_MS) / tokenMs);
    return Promise.resolve(new RateLimiterRes(this.points - taken, Math.ceil(tokenMs), taken));
  }
}

/** As the limiters of rate-limiter-flexible take a shape: points in a duration, here the time from empty to full. */
export function limiterOptions({ size, perSecond }: BucketShape): { points: number; duration: number } {
  if (size < perSecond) throw new Error('a bucket holds at least what flows in within a second');
  return { points: size, duration: size / perSecond };
}

/**
 * The same in Redis, as RateLimiterRedis calls it: the key; cost, whole seconds, size, seconds from empty to full. Answers
 * the tokens missing from the bucket (one more than it holds: refused) and the milliseconds to the next token, or until
 * the request would pass. By the clock of Redis, so that processes whose clocks differ share one bucket.
 */
export const TAKE_TOKENS = `
local time = redis.call('time')
local now = time[1] * 1000 + time[2] / 1000
local cost, size, fill = tonumber(ARGV[1]), tonumber(ARGV[3]), ARGV[4] * 1000
local token = fill / size
local full_in = math.max(tonumber(redis.call('get', KEYS[1]) or '0') - now, 0) + cost * token
if full_in > fill + 0.001 then return {size + 1, math.ceil(full_in - fill)} end
redis.call('set', KEYS[1], string.format('%.3f', now + full_in), 'PX', math.ceil(full_in))
return {math.ceil((full_in - 0.001) / token), math.ceil(token)}
`;
