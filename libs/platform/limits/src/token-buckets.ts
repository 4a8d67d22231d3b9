import type { PromptRedis } from '@holdfast/jobs';
import type { BucketShape } from '@holdfast/kernel';
import { type RateLimiterAbstract, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { limiterOptions, TAKE_TOKENS, TokenBucketMemory } from './token-bucket';

/** What is counted by itself, each with a bucket a key. The name stands in the RateLimit fields. */
export type LimitName = 'address' | 'tenant' | 'credential';

/** How a bucket stands after a request has asked it for tokens. */
export interface Standing {
  readonly limit: LimitName;
  readonly shape: BucketShape;
  readonly admitted: boolean;
  /** Whole tokens that are left; 0 after a refusal. */
  readonly remaining: number;
  /** Milliseconds until there is one more, or until a request that was refused would pass. */
  readonly waitMs: number;
}

/**
 * The buckets of one limit and shape: shared by all processes through Redis where there is one, else of this process.
 *
 * While Redis is away each process counts by itself, from full buckets: a tenant may then get as many times its quota as
 * there are processes, and nobody is refused or held up because of Redis.
 */
export class TokenBuckets {
  private readonly limiter: RateLimiterAbstract;

  constructor(
    private readonly limit: LimitName,
    readonly shape: BucketShape,
    redis?: PromptRedis,
  ) {
    const memory = new TokenBucketMemory(shape);
    this.limiter = redis ? sharedLimiter(limit, shape, redis, memory) : memory;
  }

  /** Takes tokens, at most as many as the bucket holds, or none when there are too few. */
  async take(key: string, cost = 1): Promise<Standing> {
    const { limit, shape } = this;
    try {
      const { remainingPoints, msBeforeNext } = await this.limiter.consume(key, Math.min(cost, shape.size));
      return { limit, shape, admitted: true, remaining: remainingPoints, waitMs: msBeforeNext };
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      return { limit, shape, admitted: false, remaining: 0, waitMs: refusal.msBeforeNext };
    }
  }
}

/** RateLimiterRedis over the script above; the shape is part of the key, because another plan's bucket is another bucket. */
function sharedLimiter(
  limit: LimitName,
  shape: BucketShape,
  redis: PromptRedis,
  insuranceLimiter: RateLimiterAbstract,
): RateLimiterAbstract {
  return new RateLimiterRedis({
    ...limiterOptions(shape),
    keyPrefix: `holdfast:limit:${limit}:${shape.size}/${shape.perSecond}`,
    // What the limiter uses of a client: the one command that its script becomes.
    storeClient: {
      defineCommand: (name: string, script: { numberOfKeys: number; lua: string }) =>
        redis.define(name, script),
      rlflxIncr: (args: readonly string[]) => redis.run('rlflxIncr', args),
    },
    customIncrTtlLuaScript: TAKE_TOKENS,
    insuranceLimiter,
  });
}
