import { setTimeout as sleep } from 'node:timers/promises';
import { duplicateWakeUps } from './duplicates';
import { Scene } from './scene';
import { queueKinds, Stage } from './stage';
import { buildProgram } from './worker-process';

// Guards row 12 of the faults: killed after the effect and before the acknowledgement, or woken twice: effect once.
describe.each(queueKinds())('With queues on %s, an effect happens once', (queues) => {
  let stage: Stage;
  let scene: Scene | undefined;
  beforeAll(async () => {
    buildProgram();
    stage = await Stage.open();
  });
  afterEach(async () => {
    await scene?.close();
    scene = undefined;
  });
  afterAll(() => stage.close());

  const kills = [
    ['its transaction committed and the wake-up not acknowledged', 'tenant-delivery.committed'],
    ['it is written and its transaction not committed', 'tenant-delivery.moved'],
  ] as const;
  it.each(kills)('though its worker is killed when %s', async (_when, step) => {
    scene = await Scene.open(stage, queues, { tenants: 3, seed: 1 });
    scene.supervise();
    scene.writers.start();
    const worker = await scene.start({ faults: `${step}=kill@4` });
    expect(await worker.gone).toBe('SIGKILL');
    expect(worker.faults).toEqual([`kill at ${step}, pass 4`]);
    await sleep(1_000);
    await scene.settle(30_000);
  });

  it('though every wake-up comes thirty times, to two workers', async () => {
    scene = await Scene.open(stage, queues, { tenants: 3, seed: 1 });
    const faults = Array.from({ length: 50 }, (_, n) => `tenant-delivery.occupied=note@${n + 1}`).join();
    await Promise.all([scene.start({ paceMs: 30, faults }), scene.start({ paceMs: 30, faults })]);
    scene.writers.start();
    await sleep(300);
    await duplicateWakeUps(scene, 30);
    await sleep(1_500);
    // Some came to a key at which another was at work.
    expect(scene.faults.length).toBeGreaterThan(0);
    await scene.settle(30_000);
  });
});
