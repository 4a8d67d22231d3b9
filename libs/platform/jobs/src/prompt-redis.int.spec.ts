import type { ChildProcess } from 'node:child_process';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
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

  /** Fails, and says whether it has waited for anything outside of this process. */
  async function fails(): Promise<'at once' | 'later'> {
    const failing = redis.ping().catch((error: unknown) => error);
    const waited = await Promise.race([failing.then(() => 'at once' as const), turn('later' as const)]);
    expect(await failing).toBeInstanceOf(RedisAway);
    return waited;
  }

  it('runs commands and scripts', async () => {
    redis.define('addTwo', { numberOfKeys: 1, lua: "return redis.call('incrby', KEYS[1], 2)" });
    expect([await redis.run('addTwo', ['n']), await redis.run('addTwo', ['n'])]).toEqual([2, 4]);
  });

  it('is away at once when the server dies, says so once, and comes back by itself', async () => {
    await stopRedis(server);
    await fails();
    expect(await fails()).toBe('at once');
    expect(redis.isAway).toBe(true);
    server = await startRedis(port);
    await answersAgain();
    expect(changes).toEqual([true, false]);
  });

  it('waits for a server that hangs once, and then sends one command a second', async () => {
    server.kill('SIGSTOP');
    const many = (): Promise<unknown[]> => Promise.all(Array.from({ length: 20 }, fails));
    expect(await many()).toEqual(Array(20).fill('later'));
    expect(await many()).toEqual(Array(20).fill('at once'));
    while (redis.isAway) await sleep(10);
    expect(await many()).toEqual(['later', ...Array<string>(19).fill('at once')]);
    server.kill('SIGCONT');
    await answersAgain();
    expect(changes).toEqual([true, false]);
  });
});
