import { hash } from 'node:crypto';
import { PromptRedis } from '@holdfast/jobs';
import { type BucketShape, type Caller, planOf, type Quotas } from '@holdfast/kernel';
import { counter, gauge } from '@holdfast/observability';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { Bulkhead, type Release } from './bulkhead';
import { addressKey } from './client-address';
import { ConcurrencyExceeded, RateExceeded } from './limits.errors';
import { seconds } from './rate-limit-fields';
import { type LimitName, type Standing, TokenBuckets } from './token-buckets';

/** The part of a plan's quotas that limits requests. */
export type Quota = Pick<Quotas, 'requestsPerSecond' | 'requestsBurst' | 'concurrentRequests'>;

/** How requests are limited. */
export interface LimitsOptions {
  readonly addresses: BucketShape;
  /** Of the plan that the caller's grant names, unless it is given. */
  readonly quotaOf?: (caller: Caller) => Quota;
  /** What one tenant may have at work in this process at most, whatever its plan: less than the process can do. */
  readonly permitsMax?: number;
  /** Where processes share their buckets; absent: each has its own. */
  readonly redisUrl?: string | undefined;
  /** Hears when the processes stop sharing their buckets, and when they share them again. */
  readonly onShared?: (shared: boolean) => void;
}

/** What limits know of a request under way. */
export interface RequestLimits {
  /** The buckets that it has taken from, for the RateLimit fields of its answer. */
  standings: readonly Standing[];
  /** The one decision about it; GraphQL asks once for each root field. */
  admission?: Promise<void>;
  isAnswered: boolean;
  onAnswered?: Release;
  /** Gives the permit back before the answer is out. */
  release?: Release;
}

declare module 'fastify' {
  interface FastifyRequest {
    limits?: RequestLimits;
  }
}

const refused = counter({
  name: 'holdfast_limits_refused_total',
  help: 'Requests refused by a limit: of the address, the tenant or the credential, or of requests at once (concurrency).',
  labels: ['limit'],
});

const shared = gauge({
  name: 'holdfast_limits_shared',
  help: 'Whether this process shares its buckets through Redis (1) or counts by itself (0).',
});

/**
 * A credential may take this part of its tenant's quota: one that runs wild leaves something to the tenant's others, and
 * a tenant with a single key loses little.
 */
const CREDENTIAL_SHARE = 0.8;
/** A refused credential takes so many tokens more from its address: guessing runs dry ten times sooner than work. */
const GUESS_COST = 9;
/** An abandoned request ends by the deadline of its last statement; one that has not after this is given up. */
const ABANDONED_MAX_MS = 30_000;
/** Credentials that are remembered to have nothing left. */
const EXHAUSTED_MAX = 10_000;

interface Exhausted {
  readonly standings: readonly Standing[];
  /** Thrown again and again: to make an error is most of what a refusal costs. */
  readonly refusal: RateExceeded;
  readonly untilMs: number;
}

/** Decides about each request: by its address, then by its tenant and credential, then by how many are at work. */
export class Limits {
  private readonly redis: PromptRedis | undefined;
  private readonly quotaOf: (caller: Caller) => Quota;
  private readonly permitsMax: number;
  private readonly addresses: TokenBuckets;
  /** By limit and shape: as many as there are plans. */
  private readonly buckets = new Map<string, TokenBuckets>();
  private readonly bulkhead = new Bulkhead();
  private readonly exhausted = new LRUCache<string, Exhausted>({ max: EXHAUSTED_MAX });

  constructor({ addresses, quotaOf, permitsMax = Infinity, redisUrl, onShared }: LimitsOptions) {
    this.permitsMax = permitsMax;
    this.quotaOf = quotaOf ?? ((caller) => planOf(caller.plan).quotas);
    shared.set(redisUrl === undefined ? 0 : 1);
    if (redisUrl !== undefined)
      this.redis = new PromptRedis(redisUrl, {
        policy: 'redis_limits',
        onChange: (away) => {
          shared.set(away ? 0 : 1);
          onShared?.(!away);
        },
      });
    this.addresses = new TokenBuckets('address', addresses, this.redis);
  }

  /** Rejects while processes that could share their buckets do not. */
  async checkShared(): Promise<void> {
    await this.redis?.ping();
  }

  close(): void {
    this.redis?.close();
  }

  /** Before anything else of the request is looked at. Throws RateExceeded. */
  async admitAddress(request: FastifyRequest): Promise<void> {
    const standing = await this.addresses.take(addressKey(request.ip));
    request.limits = { standings: [standing], isAnswered: false };
    if (!standing.admitted) throw refusedBy(standing);
    this.refuseExhausted(request, request.limits);
  }

  /** After a credential was refused: whoever guesses pays for it. */
  async chargeGuess(request: FastifyRequest): Promise<void> {
    await this.addresses.take(addressKey(request.ip), GUESS_COST);
  }

  /** Once it is known who calls: takes `cost` tokens, and a permit until the answer is out. Throws RateExceeded, ConcurrencyExceeded. */
  async admitCaller(
    request: FastifyRequest,
    reply: FastifyReply,
    caller: Caller,
    cost: number,
  ): Promise<void> {
    const limits = await this.chargeCaller(request, caller, cost);
    await this.takePermit(limits, reply, caller.tenantId, this.quotaOf(caller).concurrentRequests);
  }

  /** Takes `cost` tokens and no permit: for what goes on as long as its reader likes and has a limit of its own. Throws RateExceeded. */
  async chargeCaller(request: FastifyRequest, caller: Caller, cost: number): Promise<RequestLimits> {
    const limits = (request.limits ??= { standings: [], isAnswered: false });
    const quota = this.quotaOf(caller);
    // One after the other: what a credential is refused would otherwise be taken from its tenant's others.
    for (const [buckets, key] of [
      [this.bucketsOf('credential', credentialShape(quota)), `${caller.tenantId} ${caller.actor}`],
      [this.bucketsOf('tenant', tenantShape(quota)), caller.tenantId],
    ] as const) {
      const standing = await buckets.take(key, cost);
      limits.standings = [...limits.standings, standing];
      if (!standing.admitted) this.refuse(request, limits.standings, standing, cost);
    }
    return limits;
  }

  private async takePermit(
    limits: RequestLimits,
    reply: FastifyReply,
    tenantId: string,
    places: number,
  ): Promise<void> {
    const room = { permits: Math.min(places, this.permitsMax), places };
    const onWait = (giveUp: () => void): void => void reply.raw.once('close', giveUp);
    const release = await this.bulkhead.enter(tenantId, room, onWait);
    if (!release) {
      refused.inc({ limit: 'concurrency' });
      throw new ConcurrencyExceeded();
    }
    limits.release = release;
    // A client that goes away ends the answer and not the work: what was asked of the database runs on.
    const closed = (): void => {
      if (limits.isAnswered || reply.sent) return release();
      limits.onAnswered = release;
      setTimeout(release, ABANDONED_MAX_MS).unref();
    };
    if (reply.raw.destroyed) closed();
    else reply.raw.once('close', closed);
  }

  private bucketsOf(limit: LimitName, shape: BucketShape): TokenBuckets {
    const key = `${limit} ${shape.size}/${shape.perSecond}`;
    const buckets = this.buckets.get(key) ?? new TokenBuckets(limit, shape, this.redis);
    this.buckets.set(key, buckets);
    return buckets;
  }

  /** Until its next token, a credential that has none is refused before its body is read and its grant looked up. */
  private refuseExhausted(request: FastifyRequest, limits: RequestLimits): void {
    const credential = fingerprint(request);
    const known = credential === undefined ? undefined : this.exhausted.get(credential);
    if (!known || known.untilMs <= performance.now()) return;
    limits.standings = known.standings;
    refused.inc({ limit: known.refusal.limit });
    throw known.refusal;
  }

  /** Refuses, and remembers it where every other request of the credential would be refused as well. */
  private refuse(
    request: FastifyRequest,
    standings: readonly Standing[],
    refusing: Standing,
    cost: number,
  ): never {
    const refusal = refusedBy(refusing);
    const credential = fingerprint(request);
    if (credential !== undefined && cost === 1)
      this.exhausted.set(credential, { standings, refusal, untilMs: performance.now() + refusing.waitMs });
    throw refusal;
  }
}

function tenantShape({ requestsBurst, requestsPerSecond }: Quota): BucketShape {
  return { size: requestsBurst, perSecond: requestsPerSecond };
}

function credentialShape({ requestsBurst, requestsPerSecond }: Quota): BucketShape {
  return {
    size: Math.ceil(requestsBurst * CREDENTIAL_SHARE),
    perSecond: requestsPerSecond * CREDENTIAL_SHARE,
  };
}

function refusedBy({ limit, waitMs }: Standing): RateExceeded {
  refused.inc({ limit });
  return new RateExceeded(limit, seconds(waitMs));
}

/** Of a credential, which is kept nowhere as it is, and the tenant for whom it is used: a token may be good for several. */
function fingerprint({ headers }: FastifyRequest): string | undefined {
  const { authorization, 'holdfast-tenant': tenant = '' } = headers;
  return authorization === undefined
    ? undefined
    : hash('sha256', `${authorization} ${String(tenant)}`, 'base64');
}
