import { setTimeout as sleep } from 'node:timers/promises';
import { Scene } from './scene';
import { queueKinds, Stage } from './stage';
import { buildProgram, type WorkerProcess } from './worker-process';

const TENANTS = 12;
/** What was promised, in milliseconds. */
const RESUMED_WITHIN_MS = 5_000;
/** A machine under load takes its time without any fault; as much as it took before, and at most this, is taken off. */
const LOAD_MAX_MS = 2_000;
const GIVEN_UP_AFTER_MS = 30_000;

const FIRST_EFFECTS = `
  select extract(epoch from min(e.at)) * 1000 as "atMs"
  from unnest($1::uuid[]) t (tenant_id)
  left join probe.effects e on e.tenant_id = t.tenant_id and e.event_id = any ($2::uuid[])
  group by t.tenant_id`;

// Guards promise 6: two pods, one is killed, and its tenants go on within 5 s.
describe('Of two workers, one is killed', () => {
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

  const cases = queueKinds().flatMap((queues) =>
    (['the leader', 'the other one'] as const).map((who) => [queues, who] as const),
  );

  it.each(cases)('with queues on %s: every tenant goes on when %s dies', async (queues, who) => {
    scene = await Scene.open(stage, queues, { tenants: TENANTS, seed: 1 });
    // Pages take a while: so both workers have some, and the one that dies is in the middle of them.
    await Promise.all([scene.start({ paceMs: 60 }), scene.start({ paceMs: 60 })]);
    scene.writers.start();
    const leader = await scene.leader();
    const victim = scene.alive.find((worker) => (worker === leader) === (who === 'the leader'))!;
    for (let waitedMs = 0; (await deliveries(victim)) === 0; waitedMs += 100) {
      if (waitedMs > 20_000) throw new Error('the worker that is to die has delivered nothing');
      await sleep(100);
    }
    await delaysOf(scene); // What is prepared at first is not what is measured.
    const before = await delaysOf(scene);
    const killed = performance.now();
    victim.signal('SIGKILL');
    const after = await delaysOf(scene, killed);
    expect(await victim.gone).toBe('SIGKILL');
    process.stdout.write(
      `${queues}, ${who} killed: first effects of tenants after ${after.join(', ')} ms; before that ${before.join(', ')} ms\n`,
    );
    const loadMs = Math.min(before.at(-1) ?? 0, LOAD_MAX_MS);
    expect((after.at(-1) ?? Infinity) - loadMs).toBeLessThan(RESUMED_WITHIN_MS);
    await scene.settle(30_000);
  });
});

/** Commits for every tenant and answers how long after a moment each had an effect of that, in order of length. */
async function delaysOf({ database, writers }: Scene, since = performance.now()): Promise<number[]> {
  const entries = await Promise.all(writers.tenantIds.map((tenantId) => writers.commit(tenantId)));
  const ids = entries.flatMap(({ moves }) => moves.map(({ id }) => id));
  const sinceMs = performance.timeOrigin + since;
  for (let waitedMs = 0; waitedMs < GIVEN_UP_AFTER_MS; waitedMs += 100) {
    const rows = await database.admin<{ atMs: string | null }>(FIRST_EFFECTS, [writers.tenantIds, ids]);
    const times = rows.flatMap(({ atMs }) => (atMs === null ? [] : Math.round(Number(atMs) - sinceMs)));
    if (times.length === TENANTS) return times.toSorted((one, other) => one - other);
    await sleep(100);
  }
  throw new Error('not every tenant goes on');
}

/** Events that took effect through a worker. */
async function deliveries(worker: WorkerProcess): Promise<number> {
  return (await worker.metric('holdfast_events_delivered_total{group="effects"}')) ?? 0;
}
