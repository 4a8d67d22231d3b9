import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, hasRedisServer, startRedis, stopRedis } from '@holdfast/testing';
import { PromptRedis, RedisAway } from './prompt-redis';

const DEADLINE_MS = 100;

/** Guards that nobody waits for Redis longer than its deadline, and most not at all (reliability, row 10). */
(hasRedisServer() ? describe : describe.skip)('Redis for those who cannot wait', () => {
  let port: number;
  let server: ChildProcess;
  let redis: PromptRedis;
  const changes: boolean[] = [];

  beforeAll(async () => {
    port = await freePort();
    server = await startRedis(port);
    redis = new PromptRedis(`redis://127.0.0.1:${port}`, {
      policy: 'redis_limits',
      settings: { deadlineMs: DEADLINE_MS },
      onChange: (away) => changes.push(away),
    });
    await answersAgain();
  });
  afterAll(async () => {
    redis.close();
    server.kill('SIGCONT');
    await stopRedis(server);
  });
  beforeEach(() => void changes.splice(0));

  async function answersAgain(): Promise<void> {
    const deadlineMs = Date.now() + 10_000;
    while (
      !(await redis.ping().then(
        () => true,
        () => false,
      ))
    ) {
      if (Date.now() > deadlineMs) throw new Error('Redis did not come back within 10 s');
      await sleep(20);
    }
  }

  async function failsAfterMs(): Promise<number> {
    const startedAtMs = performance.now();
    await expect(redis.ping()).rejects.toBeInstanceOf(RedisAway);
    return performance.now() - startedAtMs;
  }

  it('runs commands and scripts', async () => {
    redis.define('addTwo', { numberOfKeys: 1, lua: "return redis.call('incrby', KEYS[1], 2)" });
    expect([await redis.run('addTwo', ['n']), await redis.run('addTwo', ['n'])]).toEqual([2, 4]);
  });

  it('is away at once when the server dies, says so once, and comes back by itself', async () => {
    await stopRedis(server);
    await failsAfterMs();
    expect(await failsAfterMs()).toBeLessThan(DEADLINE_MS / 2);
    expect(redis.isAway).toBe(true);
    server = await startRedis(port);
    await answersAgain();
    expect(changes).toEqual([true, false]);
  });

  it('waits for a server that hangs once, and then sends one command a second', async () => {
    server.kill('SIGSTOP');
    const first = await Promise.all(Array.from({ length: 20 }, failsAfterMs));
    expect(Math.max(...first)).toBeLessThan(DEADLINE_MS * 5);
    const next = await Promise.all(Array.from({ length: 20 }, failsAfterMs));
    expect(Math.max(...next)).toBeLessThan(DEADLINE_MS / 2);
    while (redis.isAway) await sleep(10);
    const probing = (await Promise.all(Array.from({ length: 20 }, failsAfterMs))).toSorted((a, b) => b - a);
    expect(probing[0]).toBeGreaterThan(DEADLINE_MS / 2);
    expect(probing[1]).toBeLessThan(DEADLINE_MS / 2);
    server.kill('SIGCONT');
    await answersAgain();
    expect(changes).toEqual([true, false]);
  });
});
