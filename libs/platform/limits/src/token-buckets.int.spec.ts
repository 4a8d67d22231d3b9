import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PromptRedis } from '@holdfast/jobs';
import { freePort, hasRedisServer, startRedis, stopRedis } from '@holdfast/testing';
import { type Standing, TokenBuckets } from './token-buckets';

const SHAPE = { size: 20, perSecond: 10 };
const TOKEN_MS = 1_000 / SHAPE.perSecond;

interface Store {
  readonly open: (shape?: typeof SHAPE) => TokenBuckets;
  readonly close: () => Promise<void>;
}

async function inMemory(): Promise<Store> {
  return { open: (shape = SHAPE) => new TokenBuckets('tenant', shape), close: () => Promise.resolve() };
}

async function inRedis(): Promise<Store> {
  const port = await freePort();
  const server = await startRedis(port);
  // A deadline that a busy machine does not run into: what falls back to memory would not test Redis.
  const redis = await connected(`redis://127.0.0.1:${port}`, 5_000);
  return {
    open: (shape = SHAPE) => new TokenBuckets('tenant', shape, redis),
    close: async () => {
      expect(redis.isAway).toBe(false);
      redis.close();
      await stopRedis(server);
    },
  };
}

async function connected(url: string, deadlineMs: number): Promise<PromptRedis> {
  const redis = new PromptRedis(url, { policy: 'redis_limits', settings: { deadlineMs } });
  while (
    !(await redis.ping().then(
      () => true,
      () => false,
    ))
  )
    await sleep(10);
  return redis;
}

const STORES = [['memory', inMemory], ...(hasRedisServer() ? [['Redis', inRedis] as const] : [])] as const;

describe.each(STORES)('Token buckets in %s', (_name, start) => {
  let store: Store;
  let key: string;

  beforeAll(async () => void (store = await start()));
  afterAll(() => store.close());
  beforeEach(() => void (key = randomUUID()));

  /** The refusal of an empty bucket, when it was asked for, and how many requests passed before it. */
  async function takeAll(
    buckets: TokenBuckets,
  ): Promise<Standing & { readonly passed: number; readonly askedAtMs: number }> {
    for (let passed = 0; ; passed += 1) {
      const askedAtMs = performance.now();
      const standing = await buckets.take(key);
      if (!standing.admitted) return { ...standing, passed, askedAtMs };
    }
  }

  it('hold their size, and say what is left', async () => {
    const buckets = store.open();
    expect(await buckets.take(key)).toMatchObject({ admitted: true, remaining: 19, limit: 'tenant' });
    expect(await buckets.take(key, 9)).toMatchObject({ admitted: true, remaining: 10, waitMs: TOKEN_MS });
  });

  it('refuse from empty until the next token is there, and then as many requests as tokens', async () => {
    const buckets = store.open();
    const { remaining, waitMs, askedAtMs } = await takeAll(buckets);
    expect(remaining).toBe(0);
    expect(waitMs).toBeLessThanOrEqual(TOKEN_MS);
    await sleep(waitMs + 2);
    const { passed } = await takeAll(buckets);
    expect(passed).toBeGreaterThanOrEqual(1);
    // One, and one more for each token's time that a busy machine sleeps too long; the wait was rounded up to a millisecond.
    const lateMs = performance.now() - askedAtMs - waitMs + 1;
    expect(passed).toBeLessThanOrEqual(1 + Math.floor(lateMs / TOKEN_MS));
  });

  it('take nothing for a request that they refuse, and say when it would pass', async () => {
    const buckets = store.open();
    await takeAll(buckets);
    // A timer may be a millisecond early.
    await sleep(2 * TOKEN_MS + 1);
    const refusal = await buckets.take(key, 10);
    expect(refusal.admitted).toBe(false);
    expect(refusal.waitMs).toBeGreaterThan(5 * TOKEN_MS);
    expect(refusal.waitMs).toBeLessThanOrEqual(8 * TOKEN_MS);
    expect(await buckets.take(key)).toMatchObject({ admitted: true });
  });

  it('admit a request that costs more than they hold when they are full', async () => {
    const buckets = store.open();
    expect(await buckets.take(key, 10_000)).toMatchObject({ admitted: true, remaining: 0 });
    expect(await buckets.take(key)).toMatchObject({ admitted: false });
  });

  it.each([7, 30, 49, 1_000, 99_999])(
    'of %p are full and empty to the last token, whatever the fractions',
    async (size) => {
      const buckets = store.open({ size, perSecond: Math.ceil(size / 7) });
      expect(await buckets.take(key, size)).toMatchObject({ admitted: true, remaining: 0 });
      expect(await buckets.take(randomUUID(), size - 1)).toMatchObject({ admitted: true, remaining: 1 });
    },
  );

  it('let no more pass in any time than their size and what flows in', async () => {
    const shape = { size: 50, perSecond: 50 };
    const buckets = store.open(shape);
    const startedAtMs = performance.now();
    let admitted = 0;
    while (performance.now() - startedAtMs < 1_000) {
      const standings = await Promise.all(Array.from({ length: 5 }, () => buckets.take(key)));
      admitted += standings.filter((standing) => standing.admitted).length;
      await sleep(1);
    }
    const tookSeconds = (performance.now() - startedAtMs) / 1_000;
    expect(admitted).toBeLessThanOrEqual(shape.size + Math.ceil(tookSeconds * shape.perSecond));
    // What flows in is handed out as well: a machine that stalls can lose some of it, not most.
    expect(admitted).toBeGreaterThan(shape.size + (tookSeconds * shape.perSecond) / 2);
  });

  it('are apart by key', async () => {
    const buckets = store.open();
    await takeAll(buckets);
    expect(await buckets.take(randomUUID())).toMatchObject({ admitted: true, remaining: 19 });
  });
});

/** Guards the stated failure mode, and reliability row 10: nobody is refused or held up because of Redis. */
(hasRedisServer() ? describe : describe.skip)('Token buckets whose Redis', () => {
  let server: ChildProcess;
  let port: number;

  beforeEach(async () => {
    port = await freePort();
    server = await startRedis(port);
  });
  afterEach(async () => {
    server.kill('SIGCONT');
    await stopRedis(server);
  });

  it('is there are one bucket for all processes', async () => {
    const [one, other] = [
      await connected(`redis://127.0.0.1:${port}`, 5_000),
      await connected(`redis://127.0.0.1:${port}`, 5_000),
    ];
    await new TokenBuckets('tenant', SHAPE, one).take('t', 15);
    expect(await new TokenBuckets('tenant', SHAPE, other).take('t')).toMatchObject({ remaining: 4 });
    expect(await new TokenBuckets('credential', SHAPE, other).take('t')).toMatchObject({ remaining: 19 });
    one.close();
    other.close();
  });

  it.each(['dies', 'hangs'])(
    '%s count in the process, from full buckets, and share again when it is back',
    async (how) => {
      const redis = await connected(`redis://127.0.0.1:${port}`, 500);
      // So slow that nothing flows in meanwhile, however busy the machine is.
      const shape = { ...SHAPE, perSecond: 0.01 };
      const buckets = new TokenBuckets('tenant', shape, redis);
      await buckets.take('t', 20);
      if (how === 'dies') await stopRedis(server);
      else server.kill('SIGSTOP');
      expect(await buckets.take('t', 5)).toMatchObject({ admitted: true, remaining: 15 });
      for (let n = 0; n < 15; n += 1) await buckets.take('t');
      expect(await buckets.take('t')).toMatchObject({ admitted: false });
      if (how === 'dies') server = await startRedis(port);
      else server.kill('SIGCONT');
      while (
        !(await redis.ping().then(
          () => true,
          () => false,
        ))
      )
        await sleep(20);
      expect(await buckets.take('fresh')).toMatchObject({ remaining: 19 });
      expect(await new TokenBuckets('tenant', shape, redis).take('fresh')).toMatchObject({ remaining: 18 });
      redis.close();
    },
  );
});
