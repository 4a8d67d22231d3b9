import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import { Scene } from './scene';
import { queueKinds, Stage } from './stage';
import { buildProgram } from './worker-process';

const BACKLOG = 100_000;
const PER_TRANSACTION = 2_000;
const SAMPLES = 12;
/** What was promised, in milliseconds. */
const DELAYED_AT_MOST_MS = 500;

// Guards promise 6: one tenant with 100,000 events does not delay another's single event by more than 500 ms.
describe('A tenant with 100,000 events', () => {
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

  it.each(queueKinds())('delays no other tenant, with queues on %s', async (queues) => {
    scene = await Scene.open(stage, queues, { tenants: 2, seed: 1 });
    const { database, writers } = scene;
    const [other = ''] = writers.tenantIds;
    const busy = await database.caller();
    await scene.start();
    await scene.leader();

    /** From the commit of one event to its effect. */
    const delayMs = async (): Promise<number> => {
      const { moves, heardAtMs } = await writers.commit(other);
      const heardAt = performance.timeOrigin + heardAtMs;
      for (let waitedMs = 0; waitedMs < 30_000; waitedMs += 20) {
        const [effect] = await database.admin<{ atMs: string }>(
          'select extract(epoch from at) * 1000 as "atMs" from probe.effects where event_id = $1',
          [moves[0]?.id],
        );
        if (effect) return Math.max(0, Number(effect.atMs) - heardAt);
        await sleep(20);
      }
      return Infinity;
    };
    const sample = async (): Promise<number[]> => {
      const delays: number[] = [];
      for (let n = 0; n < SAMPLES; n += 1) {
        delays.push(await delayMs());
        await sleep(100);
      }
      return delays.toSorted((one, another) => one - another).map(Math.round);
    };
    const behind = async (): Promise<number> => {
      const [row] = await database.admin<{ done: number }>(
        `select coalesce(sum(event_count), 0)::int as done from tenants.usage_counts where tenant_id = $1`,
        [busy.tenantId],
      );
      return BACKLOG - (row?.done ?? 0);
    };

    await delayMs(); // What is prepared at a first delivery is not what is measured.
    const alone = await sample();
    const tenants = database.tenants(2);
    for (let from = 0; from < BACKLOG; from += PER_TRANSACTION)
      await tenants.transaction(busy, (tx) =>
        tx.announce(
          ...Array.from({ length: PER_TRANSACTION }, () => ({
            id: newId(),
            type: 'probe.key.piled',
            schemaVersion: 1,
            streamType: 'probe.key',
            streamId: newId(),
            streamVersion: 1n,
            payload: '{}',
          })),
        ),
      );
    const besides = await sample();
    const left = await behind();
    process.stdout.write(
      `${queues}: delays of single events in ms, alone ${alone.join(', ')}; beside the backlog ${besides.join(', ')} (${left} left)\n`,
    );
    // Else there was nothing to be delayed by.
    expect(left).toBeGreaterThan(0);
    const [median, most] = [alone[SAMPLES / 2] ?? 0, besides.at(-1) ?? Infinity];
    expect(most - median).toBeLessThan(DELAYED_AT_MOST_MS);
  });
});
