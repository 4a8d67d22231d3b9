import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Fault, FAULTS, SECOND_FAULTS } from './faults';
import { Random } from './random';
import { Scene } from './scene';
import { queueKinds, type QueueKind, Stage } from './stage';
import { buildProgram } from './worker-process';

const isLong = Boolean(process.env['HOLDFAST_TEST_LONG']);
/** All faults in a long run, and some of them otherwise; other ones each time. */
const COUNT = Number(process.env['HOLDFAST_FAULT_SEEDS'] ?? (isLong ? Math.max(54, FAULTS.length) : 5));
const FIRST = Number(process.env['HOLDFAST_FAULT_SEED'] ?? randomInt(2 ** 30));
const SEEDS = process.env['HOLDFAST_FAULT_SEED'] && !process.env['HOLDFAST_FAULT_SEEDS'] ? 1 : COUNT;

/**
 * Behind the last write, the longest of: a lease and a look of a standby (4 s), a lock of BullMQ and a check (6 s), what
 * a transaction may idle (10 s), and the backoff of a group that failed a few times (up to 16 s). Doubled for a machine
 * under load.
 */
const LAG_BOUND_MS = 60_000;

interface Plan {
  readonly queues: QueueKind;
  readonly workers: number;
  readonly tenants: number;
  readonly faults: readonly Fault[];
}

/** What a seed does. It depends on the seed alone; consecutive seeds go through all faults. */
function planOf(seed: number, kinds: readonly QueueKind[]): Plan {
  const random = new Random(seed);
  const possible = (fault: Fault): boolean => fault.needs === undefined || kinds.includes(fault.needs);
  const choices = FAULTS.filter(possible);
  const [first, second] = [choices[seed % choices.length]!, random.pick(SECOND_FAULTS.filter(possible))];
  const faults = random.next() < 0.3 && second !== first ? [first, second] : [first];
  const wantsRedis = faults.some(({ needs }) => needs === 'redis');
  return {
    queues: wantsRedis ? 'redis' : random.pick(kinds),
    workers: random.between(2, 3),
    tenants: random.between(2, 6),
    faults,
  };
}

// Guards promise 6: whatever dies, stops or is emptied, and wherever, each event takes effect once and in order.
describe('Under faults, every event takes effect once and in order', () => {
  let stage: Stage;
  let scene: Scene | undefined;
  const kinds = queueKinds();
  beforeAll(async () => {
    buildProgram();
    stage = await Stage.open();
  });
  afterEach(async () => {
    await scene?.close();
    scene = undefined;
    await stage.clickHouseProxy.set('pass');
  });
  afterAll(() => stage.close());

  const cases = Array.from({ length: SEEDS }, (_, n) => {
    const seed = FIRST + n;
    const plan = planOf(seed, kinds);
    const name = plan.faults.map((fault) => fault.name).join(', and ');
    return [
      seed,
      `${name} (${plan.queues}, ${plan.workers} workers, ${plan.tenants} tenants)`,
      plan,
    ] as const;
  });

  it.each(cases)('seed %i: %s', async (seed, name, plan) => {
    process.stdout.write(
      `seed ${seed}: ${name}. Replay with HOLDFAST_FAULT_SEED=${seed} npx jest apps/worker/test/faults/faults\n`,
    );
    const random = new Random(seed);
    scene = await Scene.open(stage, plan.queues, { tenants: plan.tenants, seed });
    const options = plan.faults[0]?.workers;
    scene.writers.start();
    scene.supervise();
    const starting = Array.from({ length: plan.workers }, () => scene!.start(options?.(random)));
    await Promise.all(starting);
    await sleep(random.between(100, 1_500));
    for (const fault of plan.faults) await fault.strike(scene, random);
    await sleep(500);
    const lagMs = await scene.settle(LAG_BOUND_MS);
    const { journal } = scene.writers;
    const events = journal
      .filter(({ outcome }) => outcome === 'ok')
      .reduce((sum, { moves }) => sum + moves.length, 0);
    const failed = journal.filter(({ outcome }) => outcome === 'failed').length;
    process.stdout.write(
      `  ${events} events of ${journal.length} transactions (${failed} refused), lag zero after ${lagMs} ms\n`,
    );
    expect(events).toBeGreaterThan(50);
  });
});
