import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, hasRedisServer, startRedis, stopRedis, TestDatabase } from '@holdfast/testing';
import type { QueueBackend } from './backend';
import { WakeUpQueue } from './wake-up-queue';

/** A backend for one run of the suite, and how to make it go away and come back where that is ours to do. */
interface Bench {
  readonly backend: QueueBackend;
  /** Cuts every connection; absent where the server is not ours. */
  readonly interrupt?: () => Promise<void>;
  readonly close: () => Promise<void>;
}

async function onPostgres(): Promise<Bench> {
  const database = await TestDatabase.create();
  const interrupt = async (): Promise<void> => {
    const cut = await database.admin(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = 'holdfast_jobs'`,
    );
    expect(cut.length).toBeGreaterThan(2);
  };
  return {
    backend: { kind: 'postgres', url: database.url('holdfast_jobs') },
    interrupt,
    close: () => database.drop(),
  };
}

async function onRedis(): Promise<Bench> {
  const url = process.env['REDIS_URL'];
  if (url) return { backend: { kind: 'redis', url }, close: () => Promise.resolve() };
  const port = await freePort();
  let server = await startRedis(port);
  const interrupt = async (): Promise<void> => {
    await stopRedis(server);
    server = await startRedis(port);
  };
  return {
    backend: { kind: 'redis', url: `redis://127.0.0.1:${port}` },
    interrupt,
    close: () => stopRedis(server),
  };
}

const benches: [string, () => Promise<Bench>][] = [['PostgreSQL', onPostgres]];
if (process.env['REDIS_URL'] || hasRedisServer()) benches.push(['Redis', onRedis]);
else process.stdout.write('Redis is left out: no REDIS_URL, and no redis-server on PATH.\n');

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it did not come true within 10 s');
    await sleep(5);
  }
}

describe.each(benches)('A wake-up queue on %s', (_name, open) => {
  let bench: Bench;
  const opened: WakeUpQueue[] = [];
  const errors: unknown[] = [];
  const queue = (name: string, backend = bench.backend): WakeUpQueue => {
    const made = new WakeUpQueue({
      name,
      backend,
      report: (error) => errors.length < 50 && errors.push(error),
    });
    opened.push(made);
    return made;
  };
  beforeAll(async () => {
    bench = await open();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()));
    errors.length = 0;
  });
  afterAll(() => bench.close());

  it('refuses soon when the server is away', async () => {
    const { kind } = bench.backend;
    const away = kind === 'redis' ? 'redis://127.0.0.1:1' : 'postgresql://holdfast_jobs@127.0.0.1:1/none';
    const wakeUps = queue('away', { kind, url: away });
    const startedAt = Date.now();
    await expect(wakeUps.enqueue(['a'])).rejects.toThrow(/./);
    expect(Date.now() - startedAt).toBeLessThan(3_000);
  });

  it('wakes every key that was named', async () => {
    const woken: string[] = [];
    const wakeUps = queue(`every-${Date.now()}`);
    await wakeUps.enqueue(['a', 'b', 'c']);
    wakeUps.work(async (key) => void woken.push(key), 4);
    await until(() => woken.length === 3);
    expect(woken.toSorted()).toEqual(['a', 'b', 'c']);
    expect(errors).toEqual([]);
  });

  it('forgets a key, and keeps the others', async () => {
    const wakeUps = queue(`forgotten-${Date.now()}`);
    await wakeUps.enqueue(['a', 'b', 'c']);
    await wakeUps.forget('b');
    const woken: string[] = [];
    wakeUps.work(async (key) => void woken.push(key), 1);
    await until(() => woken.length === 2);
    expect(woken.toSorted()).toEqual(['a', 'c']);
  });

  it('runs a key once more when it is woken while it runs, and never twice at a time', async () => {
    const wakeUps = queue(`again-${Date.now()}`);
    const runs: string[] = [];
    let running = 0;
    let runningMost = 0;
    let go = (): void => {};
    const gate = new Promise<void>((resolve) => (go = resolve));
    wakeUps.work(async (key) => {
      runningMost = Math.max(runningMost, (running += 1));
      runs.push(key);
      await gate;
      running -= 1;
    }, 4);
    await wakeUps.enqueue(['a']);
    await until(() => runs.length === 1);
    for (let i = 0; i < 5; i += 1) await wakeUps.enqueue(['a']);
    go();
    await until(() => runs.length === 2 && running === 0);
    await sleep(200);
    expect([runs.length, runningMost]).toEqual([2, 1]);
  });

  it('shares the work between two processes', async () => {
    const name = `shared-${Date.now()}`;
    const [first, second] = [queue(name), queue(name)];
    const woken: string[] = [];
    const seen = new Set<number>();
    [first, second].forEach((each, index) =>
      each.work(async (key) => {
        seen.add(index);
        woken.push(key);
        await sleep(20);
      }, 1),
    );
    await first.enqueue(Array.from({ length: 20 }, (_, i) => String(i)));
    await until(() => woken.length >= 20);
    expect(new Set(woken).size).toBe(20);
    expect(seen.size).toBe(2);
  });

  it('goes on after a handler that throws', async () => {
    const wakeUps = queue(`throws-${Date.now()}`);
    const woken: string[] = [];
    wakeUps.work(async (key) => {
      woken.push(key);
      if (key === 'bad') throw new Error('on purpose');
    }, 1);
    await wakeUps.enqueue(['bad', 'good']);
    await until(() => woken.includes('good'));
    await wakeUps.enqueue(['bad']);
    await until(() => woken.filter((key) => key === 'bad').length === 2);
  });

  it('waits for what runs when it stops', async () => {
    const wakeUps = queue(`stops-${Date.now()}`);
    const ended: string[] = [];
    let started = false;
    wakeUps.work(async (key) => {
      started = true;
      await sleep(150);
      ended.push(key);
    }, 1);
    await wakeUps.enqueue(['a']);
    await until(() => started);
    await wakeUps.stopWorking();
    expect(ended).toEqual(['a']);
  });

  it('takes and hands out wake-ups again after its connections were cut', async () => {
    const wakeUps = queue(`cut-${Date.now()}`);
    const woken: string[] = [];
    wakeUps.work(async (key) => void woken.push(key), 2);
    await wakeUps.enqueue(['before']);
    await until(() => woken.includes('before'));
    await bench.interrupt?.();
    const startedAt = Date.now();
    while (!woken.includes('after') && Date.now() - startedAt < 10_000) {
      // The relay tries again at its next sweep, whatever this throws.
      await wakeUps.enqueue(['after']).catch((error: unknown) => errors.push(error));
      await sleep(200);
    }
    expect(woken).toContain('after');
  }, 30_000);
});
