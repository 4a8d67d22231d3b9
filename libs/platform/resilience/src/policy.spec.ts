import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PolicyChanges, readConfig } from '@holdfast/config';
import { Deadline } from '@holdfast/kernel';
import { metricsText } from '@holdfast/observability';
import { beginDrill, configurePolicies, listPolicyStates } from './policies';
import { type Call, Policy, type PolicyOptions } from './policy';
import { DependencyAway } from './policy.errors';

const QUICK = { deadlineMs: 2_000, attemptMs: 2_000, attemptsMax: 1, failuresMax: 0 };

function policy(settings: PolicyOptions['settings'] = {}, options: PolicyOptions = {}): Policy {
  return new Policy('partner_bank', { ...options, settings: { ...QUICK, ...settings } });
}

/** Why a call ended, where it ended as one of an outside dependency. */
async function reasonOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => new Error('it was answered'),
    (reason: unknown) => reason,
  );
  return error instanceof DependencyAway ? error.reason : String(error);
}

const unwell = (): Promise<never> => Promise.reject(new Error('unwell'));
const asleep = (signal: AbortSignal): Promise<void> => sleep(60_000, undefined, { signal });

async function sampleOf(metric: string): Promise<number> {
  const { text } = await metricsText();
  const line = text.split('\n').find((each) => each.startsWith(metric));
  return Number(line?.split(' ').at(-1) ?? 0);
}

describe('A policy', () => {
  describe('with a deadline', () => {
    it('ends a call that takes too long, and its work', async () => {
      let ended: AbortSignal | undefined;
      const call = policy({ deadlineMs: 30, attemptMs: 30 }).run((signal) => asleep((ended = signal)));
      expect(await reasonOf(call)).toBe('timeout');
      expect(ended?.aborted).toBe(true);
    });

    it('gives a caller no more than what the caller has left, and does not blame the dependency', async () => {
      const bank = policy({ failuresMax: 1 });
      expect(await reasonOf(bank.run(asleep, { deadline: Deadline.in(20) }))).toBe('given_up');
      expect(bank.isOpen).toBe(false);
    });

    it('does not begin what is over its deadline, or was given up', async () => {
      let begun = 0;
      const work = async (): Promise<number> => (begun += 1);
      const deadline = Deadline.in(0);
      expect(await reasonOf(policy().run(work, { deadline }))).toBe('given_up');
      expect(await reasonOf(policy().run(work, { signal: AbortSignal.abort() }))).toBe('given_up');
      expect(begun).toBe(0);
    });

    it('does not begin what has waited for its turn until then', async () => {
      const bank = policy({ atOnceMax: 1 });
      let release = (): void => {};
      const first = bank.run(() => new Promise<void>((resolve) => (release = resolve)));
      let begun = 0;
      const second = bank.run(async () => (begun += 1), { deadline: Deadline.in(20) });
      expect(await reasonOf(second)).toBe('given_up');
      release();
      await first;
      await sleep(5);
      expect(begun).toBe(0);
    });
  });

  describe('with retries', () => {
    it('tries again what failed, and nothing that was answered', async () => {
      const bank = policy(
        { attemptsMax: 3, retriesMax: 100 },
        { isFailure: (error) => (error as Error).message !== 'no' },
      );
      let attempts = 0;
      const third = async (): Promise<number> => ((attempts += 1) < 3 ? unwell() : attempts);
      expect(await bank.run(third)).toBe(3);
      let asked = 0;
      const refusing = async (): Promise<never> => {
        asked += 1;
        throw new Error('no');
      };
      await expect(bank.run(refusing)).rejects.toThrow('no');
      expect(asked).toBe(1);
    });

    it('takes them out of a budget that all calls share', async () => {
      const bank = policy({ attemptsMax: 3, retriesMax: 4 });
      let attempts = 0;
      const failing = async (): Promise<never> => {
        attempts += 1;
        throw new Error('unwell');
      };
      await Promise.all(Array.from({ length: 10 }, () => bank.run(failing).catch(() => {}))); // Each one fails.
      expect(attempts).toBeGreaterThanOrEqual(14);
      // A tenth of the budget flows in again each second.
      expect(attempts).toBeLessThanOrEqual(16);
    });

    it('takes nothing out of it for a last attempt', async () => {
      const bank = policy({ attemptsMax: 3, retriesMax: 4 });
      let attempts = 0;
      const failing = async (): Promise<never> => {
        attempts += 1;
        throw new Error('unwell');
      };
      for (let n = 0; n < 2; n += 1) await expect(bank.run(failing)).rejects.toThrow('unwell');
      expect(attempts).toBe(6);
    });
  });

  describe('with a circuit breaker', () => {
    it('sends nothing for a while after failures in a row, then one attempt', async () => {
      const bank = policy({ failuresMax: 3, openMs: 50 });
      for (let n = 0; n < 3; n += 1) await expect(bank.run(unwell)).rejects.toThrow('unwell');
      let sent = 0;
      const well = async (): Promise<number> => (sent += 1);
      expect(await reasonOf(bank.run(well))).toBe('circuit_open');
      expect([sent, bank.state.circuit]).toEqual([0, 'open']);
      await sleep(60);
      expect(await bank.run(well)).toBe(1);
      expect(bank.state.circuit).toBe('closed');
    });

    it('opens for attempts that end in no time, and not for answers that say no', async () => {
      const slow = policy({ failuresMax: 2, attemptMs: 10 });
      for (let n = 0; n < 2; n += 1) expect(await reasonOf(slow.run(asleep))).toBe('timeout');
      expect(slow.isOpen).toBe(true);
      const isFailure = (error: unknown): boolean => (error as Error).message !== 'no';
      const asked = policy({ failuresMax: 2 }, { isFailure });
      const refusing = (): Promise<never> => Promise.reject(new Error('no'));
      // Two failures are in a row only where nothing was answered in between.
      for (const work of [refusing, refusing, unwell, refusing, unwell])
        await expect(asked.run(work)).rejects.toThrow(/no|unwell/);
      expect(asked.isOpen).toBe(false);
    });

    it('lets nobody wait for the attempt that tries', async () => {
      const bank = policy({ failuresMax: 1, openMs: 20 });
      await expect(bank.run(unwell)).rejects.toThrow('unwell');
      await sleep(30);
      const { promise, resolve } = Promise.withResolvers<string>();
      const trying = bank.run(() => promise);
      expect(await reasonOf(bank.run(async () => 1))).toBe('circuit_open');
      expect(bank.state).toMatchObject({ circuit: 'half_open', circuitsOpen: 1 });
      resolve('back');
      expect([await trying, await bank.run(async () => 1)]).toEqual(['back', 1]);
    });

    it('is not closed by an attempt whose caller gave up, and tries again with the next', async () => {
      const bank = policy({ failuresMax: 1, openMs: 20 });
      await expect(bank.run(unwell)).rejects.toThrow('unwell');
      await sleep(30);
      expect(await reasonOf(bank.run(asleep, { deadline: Deadline.in(10) }))).toBe('given_up');
      expect(bank.state.circuit).toBe('open');
      expect(await bank.run(async () => 1)).toBe(1);
      expect(bank.state.circuit).toBe('closed');
    });

    it('counts no attempt that was given up before it began', async () => {
      let attempts: number;
      let bank: Policy;
      // The wait for the next attempt is by chance, and may be over before the caller has gone.
      do {
        bank = policy({ failuresMax: 2, attemptsMax: 2, retriesMax: 100 });
        attempts = 0;
        const ended = new AbortController();
        const failing = async (): Promise<never> => {
          attempts += 1;
          setTimeout(() => ended.abort(), 1);
          throw new Error('unwell');
        };
        expect(await reasonOf(bank.run(failing, { signal: ended.signal }))).toMatch(/given_up|unwell/);
      } while (attempts > 1);
      // By then that wait is over, behind which nobody is told anything.
      await sleep(120);
      expect(bank.state.circuit).toBe('closed');
    });

    it('has one for each host', async () => {
      const bank = policy({ failuresMax: 1, openMs: 10_000 });
      await expect(bank.run(unwell, { host: 'a' })).rejects.toThrow('unwell');
      expect(await reasonOf(bank.run(async () => 1, { host: 'a' }))).toBe('circuit_open');
      expect(await bank.run(async () => 1, { host: 'b' })).toBe(1);
      expect(bank.state).toMatchObject({ circuit: 'open', circuitsOpen: 1 });
    });

    it('forgets one whose host nobody has asked for five minutes', async () => {
      const bank = policy({ failuresMax: 1 });
      await expect(bank.run(unwell, { host: 'a' })).rejects.toThrow('unwell');
      const now = performance.now.bind(performance);
      const clock = jest.spyOn(performance, 'now');
      try {
        for (const [aheadMs, circuitsOpen] of [
          [299_000, 1],
          [300_001, 0],
        ] as const) {
          clock.mockImplementation(() => now() + aheadMs);
          await sleep(10); // For a millisecond the cache goes by the time that it knows.
          expect(bank.state.circuitsOpen).toBe(circuitsOpen);
        }
      } finally {
        clock.mockRestore();
      }
    });
  });

  describe('with a bulkhead', () => {
    it('has so many calls at work, so many that wait, and refuses the next', async () => {
      const bank = policy({ atOnceMax: 2, waitingMax: 1 });
      const { promise, resolve } = Promise.withResolvers<void>();
      const calls = Array.from({ length: 3 }, () => bank.run(() => promise));
      expect(bank.state).toMatchObject({ atWork: 2, waiting: 1 });
      expect(await reasonOf(bank.run(() => promise))).toBe('bulkhead_full');
      resolve();
      await Promise.all(calls);
      expect(bank.state).toMatchObject({ atWork: 0, waiting: 0, calls: { ok: 3, bulkhead_full: 1 } });
    });

    it('keeps no place in line for who has given up', async () => {
      const bank = policy({ atOnceMax: 1, waitingMax: 1 });
      const { promise, resolve } = Promise.withResolvers<void>();
      const first = bank.run(() => promise);
      expect(await reasonOf(bank.run(unwell, { deadline: Deadline.in(10) }))).toBe('given_up');
      expect(bank.state).toMatchObject({ atWork: 1, waiting: 0 });
      const third = bank.run(async () => 'well');
      resolve();
      await first;
      expect(await third).toBe('well');
      expect(bank.state).toMatchObject({ atWork: 0, waiting: 0 });
    });
  });

  describe('in a drill', () => {
    const drill = (does: 'open' | 'fail' | 'slow', forMs: number, delayMs = 0): unknown =>
      beginDrill('partner_bank', { does, delayMs, untilMs: performance.now() + forMs });

    it.each([
      ['open', 'circuit_open'],
      ['fail', 'DrillFailure: a drill lets partner_bank fail'],
      ['slow', 'timeout'],
    ] as const)(
      'that says %s ends its calls as if it was so, until the drill is over',
      async (does, reason) => {
        const bank = policy({ attemptMs: 20 });
        drill(does, 60, 30);
        expect(bank.state.drill).toBe(does);
        expect(await reasonOf(bank.run(async () => 1))).toBe(reason);
        await sleep(65);
        expect(await bank.run(async () => 1)).toBe(1);
        expect(bank.state.drill).toBeUndefined();
      },
    );
  });

  it('is slow no longer than a drill that makes it so', async () => {
    const bank = policy();
    beginDrill('partner_bank', { does: 'slow', delayMs: 60_000, untilMs: performance.now() + 30 });
    expect(await bank.run(async () => 1)).toBe(1);
  });

  it('reads an answer over HTTP within the same time, and follows nothing', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/wait') response.end(String(request.headers['x-request-timeout-ms']));
      else if (request.url === '/elsewhere') response.writeHead(302, { location: '/' }).end();
      else if (request.url === '/endless') response.writeHead(200).write('x');
      else response.end('answer');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const bank = policy({ attemptMs: 200 });
    const text = (response: Response): Promise<string> => response.text();
    expect(await bank.fetch(url, {}, text)).toBe('answer');
    expect(await bank.fetch(url, {}, async ({ status }) => status)).toBe(200);
    // It says how long it is waited for: of the attempt, the policy and the caller whoever has least.
    const waitOf = async (call: Call, settings = {}): Promise<number> =>
      Number(
        await policy({ deadlineMs: 60_000, attemptMs: 30_000, ...settings }).fetch(
          `${url}/wait`,
          {},
          text,
          call,
        ),
      );
    const waits = [
      await waitOf({}),
      await waitOf({}, { deadlineMs: 20_000 }),
      await waitOf({ deadline: Deadline.in(10_000) }),
    ];
    expect(waits.map((waitMs) => Math.ceil(waitMs / 10_000))).toEqual([3, 2, 1]);
    expect(await reasonOf(bank.fetch(`${url}/endless`, {}, text))).toBe('timeout');
    expect(await reasonOf(bank.fetch(`${url}/elsewhere`, {}, text))).toContain('fetch failed');
    server.closeAllConnections();
    server.close();
  });

  it('is configured under its name, and measured under it', async () => {
    const configured = (changes: string): PolicyChanges =>
      readConfig('ingest', {
        ...{ WRITE_KEY_PUBLIC: WRITE_KEY, CLICKHOUSE_URL: 'http://localhost:8123' },
        ...{ HOLDFAST_API_URL: 'http://localhost:8080', INGEST_DIRECTORY: '/tmp' },
        HOLDFAST_POLICIES: changes,
      }).policies;
    // The second is no setting of that policy: the pool has its own.
    for (const changes of ['nobody.deadlineMs=25', 'postgresql.deadlineMs=25', 'oidc.deadlineMs=0'])
      expect(() => configured(changes)).toThrow('HOLDFAST_POLICIES');
    configurePolicies(configured('oidc.deadlineMs=25,oidc.attemptMs=25'));
    const issuer = new Policy('oidc');
    configurePolicies({});
    expect(await reasonOf(issuer.run(asleep))).toBe('timeout');
    expect(listPolicyStates()).toContainEqual(issuer.state);
    const labels = '{policy="oidc"';
    expect(
      await sampleOf(`holdfast_resilience_call_duration_seconds_count${labels},outcome="timeout"}`),
    ).toBe(1);
    expect(await sampleOf(`holdfast_resilience_circuits_open${labels}}`)).toBe(1);
  });
});

const WRITE_KEY = 'MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=';
