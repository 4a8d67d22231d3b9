import { setTimeout as sleep } from 'node:timers/promises';
import { metricsText } from '@holdfast/observability';
import { beginDrill, listPolicyStates } from './policies';
import { QuickPolicy, type QuickPolicyOptions } from './quick-policy';
import { DependencyAway, DrillFailure } from './policy.errors';

function policy(settings: QuickPolicyOptions['settings'] = {}, isConnected = () => true): QuickPolicy {
  return new QuickPolicy('redis_limits', {
    isConnected,
    settings: { deadlineMs: 20, openMs: 50, ...settings },
  });
}

const unwell = (): Promise<never> => Promise.reject(new Error('unwell'));
const well = (): Promise<string> => Promise.resolve('well');

/** How the call has ended. */
function outcomeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'ok',
    (error: unknown) => (error instanceof DependencyAway ? error.reason : (error as Error).name),
  );
}

// Guards that what is asked in each request is waited for by few, and shows and is drilled as every dependency.
describe('A quick policy', () => {
  it('waits no longer than its deadline, and then lets one call at a time try, for which nobody waits', async () => {
    const redis = policy();
    const silent = (): Promise<void> => sleep(200);
    expect(await outcomeOf(redis.run(silent))).toBe('timeout');
    expect([await outcomeOf(redis.run(well)), redis.state.circuit]).toEqual(['circuit_open', 'open']);
    await sleep(60);
    expect(redis.state.circuit).toBe('half_open');
    const { promise, resolve } = Promise.withResolvers<string>();
    const trying = redis.run(() => promise);
    expect(await outcomeOf(redis.run(well))).toBe('circuit_open');
    resolve('back');
    expect(await trying).toBe('back');
    expect([await redis.run(well), redis.state.circuit]).toEqual(['well', 'closed']);
  });

  it('opens after as many failures in a row as it is told, and never where that is none', async () => {
    const [second, never] = [policy({ failuresMax: 2 }), policy({ failuresMax: 0 })];
    for (const each of [second, never])
      for (let n = 0; n < 2; n += 1) expect(await outcomeOf(each.run(unwell))).toBe('Error');
    expect([second.isOpen, never.isOpen]).toEqual([true, false]);
  });

  it('sends nothing without a connection, and refuses who finds no place', async () => {
    let isConnected = false;
    const redis = policy({ atOnceMax: 1 }, () => isConnected);
    expect(await outcomeOf(redis.run(well))).toBe('circuit_open');
    isConnected = true;
    const { promise, resolve } = Promise.withResolvers<string>();
    const [first, second] = [redis.run(() => promise), outcomeOf(redis.run(well))];
    expect(redis.state).toMatchObject({ atWork: 1, waiting: 0 });
    expect(await second).toBe('bulkhead_full');
    resolve('well');
    await first;
    expect(redis.state).toMatchObject({ atWork: 0, calls: { circuit_open: 1, bulkhead_full: 1, ok: 1 } });
  });

  it.each([
    ['open', 'circuit_open'],
    ['fail', DrillFailure.name],
    ['slow', 'timeout'],
  ] as const)(
    'in a drill that says %s ends its calls as if it was so, until the drill is over',
    async (does, outcome) => {
      const redis = policy({ failuresMax: 0 });
      beginDrill('redis_limits', { does, delayMs: 30, untilMs: performance.now() + 60 });
      expect([await outcomeOf(redis.run(well)), redis.state.drill]).toEqual([outcome, does]);
      await sleep(65);
      expect([await outcomeOf(redis.run(well)), redis.state.drill]).toEqual(['ok', undefined]);
    },
  );

  it('is slow no longer than a drill that makes it so', async () => {
    const redis = policy({ deadlineMs: 2_000 });
    beginDrill('redis_limits', { does: 'slow', delayMs: 60_000, untilMs: performance.now() + 30 });
    expect(await outcomeOf(redis.run(well))).toBe('ok');
  });

  it('shows with the others, and is measured with them', async () => {
    const redis = policy();
    await redis.run(well);
    expect(listPolicyStates()).toContainEqual(redis.state);
    const { text } = await metricsText();
    expect(text).toMatch(
      /^holdfast_resilience_call_duration_seconds_count\{policy="redis_limits",outcome="ok"\} \d/m,
    );
    expect(text).toMatch(/^holdfast_resilience_circuits_open\{policy="redis_limits"\} \d/m);
  });
});
