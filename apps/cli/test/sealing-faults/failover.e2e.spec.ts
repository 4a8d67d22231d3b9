import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Step } from '@holdfast/events';
import { buildProgram } from '../../../worker/test/faults/worker-process';
import { FailoverStage } from './failover-stage';
import { SealingScene } from './sealing-scene';

const isLong = Boolean(process.env['HOLDFAST_TEST_LONG']);
const SEED = Number(process.env['HOLDFAST_FAULT_SEED'] ?? (isLong ? randomInt(2 ** 30) : 1));
/** Between the signature and its being shown, and right after that. */
const STOPS: readonly Step[] = ['sealer.remembered', 'sealer.stored'];
/** Leaves that every tenant gets at least while the standby lags. */
const LAGGED_LEAVES = 10;

// Two servers that are copied and started anew, on a machine under load.
jest.setTimeout(600_000);

// Guards promise 4: a checkpoint that was signed is one of the promoted standby's log as well, or of an epoch that has ended.
describe('When the primary is lost and its standby promoted, the sealer', () => {
  let stage: FailoverStage;
  let scene: SealingScene;
  beforeAll(buildProgram);
  afterEach(async () => {
    await scene.close();
    await stage.close();
  });

  it.each(STOPS)('seals on, each event once, where a synchronous standby takes over at %s', async (step) => {
    stage = await FailoverStage.open({ isSynchronous: true });
    scene = await SealingScene.open({ serverUrl: stage.url, seed: SEED });
    scene.writers.start();
    const sealer = scene.start({ step, action: 'stop', pass: 8 });
    await scene.until(`the sealer to stop at ${step}`, () => {
      return sealer.isStopped && sealer.hasFaulted('stop', step);
    });
    await scene.collect();
    const { count } = scene.signed;
    const before = await stage.pair.timeline();
    await stage.failOver();
    expect(await stage.pair.timeline()).toBeGreaterThan(before);
    sealer.signal('SIGCONT');
    await stage.join({ isSynchronous: true });
    await scene.until('more to be signed', () => scene.signed.count > count + scene.writers.tenantIds.length);
    await scene.settle();
    expect(await scene.lost()).toEqual([]);
    expect([...(await scene.trees()).values()].map(({ epoch }) => epoch)).toEqual([1, 1, 1, 1]);
  });

  it('signs nothing that an asynchronous standby lacks, and another epoch once the operator has begun one', async () => {
    stage = await FailoverStage.open({ isSynchronous: false });
    scene = await SealingScene.open({ serverUrl: stage.url, seed: SEED, continueOnFailover: false });
    scene.writers.start();
    scene.start();
    await scene.until(
      'something to be signed',
      () => scene.signed.count > 2 * scene.writers.tenantIds.length,
    );
    await stage.wire.set('hang');
    const lagging = await scene.trees();
    await scene.until('more to be sealed', async () => {
      const grown = await scene.trees();
      return [...lagging].every(([id, { size }]) => (grown.get(id)?.size ?? 0) >= size + LAGGED_LEAVES);
    });
    expect(stage.wire.counts.hung).toBeGreaterThan(0);
    const lost = await scene.trees();
    await scene.collect();
    await stage.failOver();
    const kept = await scene.trees();
    for (const [tenantId, { size }] of kept) {
      expect(size).toBeLessThan(lost.get(tenantId)?.size ?? 0);
      expect(scene.signed.largest(scene.originOf(tenantId, 1))).toBeLessThanOrEqual(size);
    }
    // Nobody knows yet that it is the same log.
    const { count } = scene.signed;
    await stage.join({ isSynchronous: false });
    await sleep(1_000);
    expect(scene.signed.count).toBe(count);
    await scene.bump();
    await scene.settle();
    // What was acknowledged and had not reached the standby: the fault has landed.
    expect((await scene.lost()).length).toBeGreaterThan(0);
    expect([...(await scene.trees()).values()].map(({ epoch }) => epoch)).toEqual([2, 2, 2, 2]);
  });
});
