import { type BucketShape, takeTokens } from '@holdfast/kernel';
import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

/** Buckets that differ from a full one, per process and limiter. Beyond this the one longest untouched counts as full. */
const BUCKETS_MAX = 50_000;

/**
 * Token buckets of one shape in the memory of this process, as `takeTokens` reckons them. RateLimiterMemory would count in windows, with
 * a timer for each. `TAKE_TOKENS` is the same in Redis.
 */
export class TokenBucketMemory extends RateLimiterMemory {
  private readonly fullAtMs = new LRUCache<string, number>({ max: BUCKETS_MAX });

  constructor(private readonly shape: BucketShape) {
    super(limiterOptions(shape));
  }

  override consume(key: string, cost = 1): Promise<RateLimiterRes> {
    const { size, perSecond } = this.shape;
    const taking = takeTokens(this.shape, this.fullAtMs.get(key) ?? 0, performance.now(), cost);
    const { isAdmitted, fullAtMs, remaining, waitMs } = taking;
    if (!isAdmitted)
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- Limiters refuse in this way.
      return Promise.reject(new RateLimiterRes(0, waitMs, size + 1));
    this.fullAtMs.set(key, fullAtMs);
    return Promise.resolve(new RateLimiterRes(remaining, Math.ceil(1_000 / perSecond), size - remaining));
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
