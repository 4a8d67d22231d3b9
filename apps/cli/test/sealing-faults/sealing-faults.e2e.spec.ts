import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Step, STEPS } from '@holdfast/events';
import { Random } from '@holdfast/testing';
import { buildProgram } from '../../../worker/test/faults/worker-process';
import { LEASE_MS, SealingScene } from './sealing-scene';

const isLong = Boolean(process.env['HOLDFAST_TEST_LONG']);
const SEED = Number(process.env['HOLDFAST_FAULT_SEED'] ?? (isLong ? randomInt(2 ** 30) : 1));
const ROUNDS = isLong ? 10 : 1;
/** Passed only where an operator has begun another lineage. */
const RENEWING: readonly Step[] = ['sealer.renewing', 'sealer.renewed'];
const KILLS = [
  ...STEPS.filter((step) => step.startsWith('sealer.') && !RENEWING.includes(step)),
  // Last, since there have to be trees to renew.
  ...RENEWING,
];
const STOPS: readonly Step[] = ['sealer.written', 'sealer.committed', 'sealer.reread', 'sealer.remembered'];

// Some starts of processes, each of which takes long on a machine under load.
jest.setTimeout(600_000);

// Guards promise 4: whatever dies or sleeps, and wherever, each event is sealed once, and no checkpoint contradicts another.
describe('Under faults, the sealer', () => {
  let scene: SealingScene;
  beforeAll(buildProgram);
  afterEach(() => scene.close());

  it.each(Array.from({ length: ROUNDS }, (_, n) => SEED + n))(
    'seals every event once though it is killed at every step (seed %i)',
    async (seed) => {
      const random = new Random(seed);
      scene = await SealingScene.open({ seed });
      scene.writers.start();
      for (const step of KILLS) {
        const isRenewing = RENEWING.includes(step);
        const pass = step === 'sealer.leased' || isRenewing ? 1 : random.between(1, 4);
        if (isRenewing) await scene.bump();
        // So that the installation's own log has an entry on its way at each of them.
        await scene.registerReceiptKey();
        const victim = scene.start({ step, action: 'kill', pass });
        await scene.until(`the sealer to die at ${step}`, () => victim.isGone);
        expect(await victim.gone).toBe('SIGKILL');
        expect(victim.hasFaulted('kill', step)).toBe(true);
      }
      scene.start();
      await sleep(random.between(500, 1_500));
      await scene.settle();
    },
  );

  it('refuses a holder that slept at any step while another took over', async () => {
    scene = await SealingScene.open({ seed: SEED });
    scene.writers.start();
    for (const step of STOPS) {
      const sleeper = scene.start({ step, action: 'stop', pass: 2 });
      await scene.until(`the sealer to stop at ${step}`, () => sleeper.isStopped);
      const other = scene.start();
      await scene.until('another to take over', () => other.isLeading);
      await sleep(LEASE_MS);
      sleeper.signal('SIGCONT');
      await scene.until('the sleeper to notice', () => !sleeper.isLeading);
      expect(sleeper.output).toMatch(/SealerLeaseLost|TreeChanged|DatabaseUnavailable/);
      await other.kill();
      await sleeper.kill();
    }
    scene.start();
    await scene.settle();
  });

  it('is one of two', async () => {
    scene = await SealingScene.open({ seed: SEED });
    scene.writers.start();
    const [one, two] = [scene.start(), scene.start()];
    await scene.until('one to lead', () => one.isLeading || two.isLeading);
    await sleep(3 * LEASE_MS);
    expect(one.isLeading).not.toBe(two.isLeading);
    await (one.isLeading ? one : two).kill();
    await scene.settle();
  });
});
