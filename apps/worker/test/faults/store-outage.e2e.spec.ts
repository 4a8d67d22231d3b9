import { setTimeout as sleep } from 'node:timers/promises';
import type { ProxyMode } from '@holdfast/testing';
import { countStored } from './oracle';
import { Scene } from './scene';
import { queueKinds, Stage } from './stage';
import { buildProgram } from './worker-process';

/** A minute in a long run. */
const isLong = Boolean(process.env['HOLDFAST_TEST_LONG']);
const OUTAGE_MS = isLong ? 60_000 : 8_000;
/** What is alive differs by a few batches. A process that kept its events of 4 kB through the outage would hold more. */
const MEMORY_LEEWAY_BYTES = 16 * 1024 * 1024;
/** Commits go on at their rate; a machine under load is not as steady as the product. */
const RATE_AT_LEAST = 0.6;
/** Behind the outage: the backoff of a store is a minute at most, and a batch under way may take 8 s. */
const CAUGHT_UP_WITHIN_MS = 80_000;

const OUTAGES: readonly [string, ProxyMode][] = [
  ['is stopped', 'refuse'],
  ['hangs', 'hang'],
  ['is a hundred times slower', { delayMs: 1_500 }],
];

// Guards promise 6 and row 11 of the faults: OLTP is unaffected, memory is flat, and then the count is exact.
describe('While ClickHouse', () => {
  let stage: Stage;
  let scene: Scene | undefined;
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

  // The short run has the one that is noticed last.
  it.each(isLong ? OUTAGES : OUTAGES.filter(([, mode]) => mode === 'hang'))(
    '%s, commits and other groups go on, and it gets every event',
    async (what, mode) => {
      scene = await Scene.open(stage, queueKinds().at(-1)!, { tenants: 4, seed: 1, payloadBytes: 4_000 });
      const { writers, database } = scene;
      const { clickHouseProxy: proxy, telemetry } = stage;
      const worker = await scene.start();
      await scene.leader();
      writers.start();
      await sleep(4_000);
      const ratePerSecond = async (forMs: number): Promise<number> => {
        const before = writers.journal.length;
        await sleep(forMs);
        return ((writers.journal.length - before) * 1_000) / forMs;
      };
      const stored = async (): Promise<number> =>
        (await Promise.all(writers.tenantIds.map((id) => countStored(telemetry, id)))).reduce(
          (a, b) => a + b,
        );
      const before = await ratePerSecond(3_000);
      const memoryBefore = await worker.liveBytes();

      await proxy.set(mode);
      proxy.cut();
      const storedBefore = await stored();
      const during = await ratePerSecond(OUTAGE_MS);
      const [effects] = await database.admin<{ lagging: number }>(
        `select count(*)::int as lagging from events.log l
       where l.type = 'probe.key.moved' and l.occurred_at < clock_timestamp() - interval '3 seconds'
         and not exists (select from probe.effects e where e.tenant_id = l.tenant_id and e.event_id = l.id)`,
      );
      const grownBytes = (await worker.liveBytes()) - memoryBefore;
      const storedDuring = (await stored()) - storedBefore;
      await proxy.set('pass');
      proxy.cut();
      const caughtUpMs = await scene.settle(CAUGHT_UP_WITHIN_MS);
      process.stdout.write(
        `ClickHouse ${what} for ${OUTAGE_MS / 1_000} s: ${Math.round(before)} transactions/s before, ${Math.round(during)} meanwhile; ` +
          `memory ${Math.round(grownBytes / 1_048_576)} MB up; exact ${caughtUpMs} ms after\n`,
      );
      // The outage landed: of what was committed meanwhile next to nothing could be stored.
      expect(storedDuring).toBeLessThan(typeof mode === 'object' ? Infinity : 1);
      expect(effects?.lagging).toBe(0);
      expect(during / before).toBeGreaterThan(RATE_AT_LEAST);
      expect(grownBytes).toBeLessThan(MEMORY_LEEWAY_BYTES);
    },
  );

  it('loses its answer to a batch, the batch comes again and is there once', async () => {
    scene = await Scene.open(stage, 'postgres', { tenants: 3, seed: 1 });
    const { clickHouseProxy: proxy } = stage;
    scene.writers.start();
    await scene.start();
    await sleep(500);
    const before = proxy.counts.cut;
    await proxy.set('cut-answers');
    await sleep(1_500);
    await proxy.set('pass');
    expect(proxy.counts.cut).toBeGreaterThan(before);
    await scene.settle(30_000);
  });

  it('has a batch and the worker dies before its cursor moves, the batch is there once', async () => {
    scene = await Scene.open(stage, 'postgres', { tenants: 3, seed: 1 });
    scene.supervise();
    scene.writers.start();
    const worker = await scene.start({ faults: 'store-delivery.stored=kill@4' });
    expect(await worker.gone).toBe('SIGKILL');
    expect(worker.faults).toEqual(['kill at store-delivery.stored, pass 4']);
    await scene.settle(30_000);
  });
});
