import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { LoadOutcome } from '../../../libs/platform/ingest/test/event-load';
import { booksText, unaccounted } from './books';
import { OUTAGE_MS, outcomeText, say, Scene, type Sending, type Sent, statusOfEvent } from './scene';
import { Surroundings, until } from './surroundings';

const isLong = Boolean(process.env['HOLDFAST_TEST_LONG']);
const SETTLED_WITHIN_MS = 60_000;
/** Keys that are revoked are refused within this. */
const REVOKED_WITHIN_MS = 60_000;
/** Five outages and what is started between them. */
const TIMEOUT_MS = 120_000 + 8 * OUTAGE_MS;
/** Longer than it takes until ingest has heard of it: 7 s. */
const DRILL_SECONDS = 12;
/** Load before an outage that its latencies are compared with, and behind it. */
const BESIDE_SECONDS = OUTAGE_MS / 3_000;

/** Something that is stopped, started again, and seen to be away. */
interface Outage {
  stop(): Promise<unknown>;
  start(): Promise<unknown>;
  isAway(): Promise<boolean>;
}

// Guards promise 7 and row 11 of the faults: ingest answers whatever is away, and then every event is there once.
describe('Ingest while others are away', () => {
  let scene: Scene;
  let around: Surroundings;
  beforeAll(async () => {
    scene = await Scene.open();
    around = await Surroundings.start(scene);
  }, 120_000);
  afterAll(async () => {
    await around.close();
    await scene.close();
  });
  afterEach(() => scene.endIngest());

  const outages = (): Record<'PostgreSQL' | 'Redis' | 'the API' | 'ClickHouse', Outage> => ({
    PostgreSQL: {
      stop: () => around.killPostgres(),
      start: () => around.startPostgres(),
      isAway: async () => (await around.readiness()) !== 200,
    },
    Redis: {
      stop: () => around.killRedis(),
      start: () => around.startRedis(),
      isAway: async () => !(await around.isRedisThere()),
    },
    'the API': {
      stop: () => around.killApi(),
      start: () => around.startApi(),
      isAway: async () => (await around.readiness()) === 0,
    },
    ClickHouse: {
      stop: () => scene.store.kill(),
      start: () => scene.store.resume(),
      isAway: async () => {
        const { spilled, inFlight } = await scene.ingest.books();
        return spilled + inFlight > 0;
      },
    },
  });
  const all = (): Outage => {
    const each = Object.values(outages());
    return {
      stop: () => Promise.all(each.map((outage) => outage.stop())),
      // PostgreSQL waits until the API is ready on it, which is started behind it.
      start: () =>
        each.reduce((before, outage) => before.then(() => outage.start()), Promise.resolve<unknown>(0)),
      isAway: async () => {
        const away = await Promise.all(each.map((outage) => outage.isAway()));
        return away.every(Boolean);
      },
    };
  };

  /** Each event of the loads that was acknowledged is stored once, and nothing else; the books say the same. */
  const expectExact = async (loads: readonly Sent[], others: number): Promise<void> => {
    const books = await scene.ingest.settled(SETTLED_WITHIN_MS);
    say(`behind it: ${booksText(books)}`);
    const acknowledged = [];
    for (const { run, outcome } of loads) {
      const ids = (await outcome).acknowledged.toSorted();
      acknowledged.push(...ids);
      expect(await scene.store.idsOf(run)).toEqual(ids);
    }
    expect(unaccounted(books)).toBe(0);
    const stored = acknowledged.length + others;
    expect(books).toMatchObject({ dropped: {}, inFlight: 0, spilled: 0, stored });
  };

  it(
    'each and all, for a time under load, answers 200 and stores each event once',
    async () => {
      const tenants = [scene.tenant(), scene.tenant()];
      await scene.start();
      const loads: Sent[] = [];
      const send = (seconds: number): Sent => {
        const load = scene.send(tenants, { seconds });
        loads.push(load);
        return load;
      };
      // The short run has them away all at once, which is the hardest.
      const each = isLong ? Object.entries(outages()) : [];
      for (const [name, outage] of [...each, ['all of them', all()] as const]) {
        const before = await send(BESIDE_SECONDS).outcome;
        const load = send(OUTAGE_MS / 1_000);
        await sleep(OUTAGE_MS / 10);
        await outage.stop();
        const during = await load.outcome;
        const books = await scene.ingest.books();
        const isAway = await outage.isAway();
        const back = send(BESIDE_SECONDS);
        await outage.start();
        say(`${name} there: ${outcomeText(before)}`, `${name} away: ${ratioText(before, during)}`);
        say(`${name} back: ${ratioText(before, await back.outcome)}`, booksText(books));
        // The outage has landed.
        expect({ name, isAway }).toEqual({ name, isAway: true });
        expect([unaccounted(books), Object.keys(during.statuses)]).toEqual([0, ['200']]);
        await scene.ingest.settled(SETTLED_WITHIN_MS);
      }
      for (const { outcome } of loads) expect(Object.keys((await outcome).statuses)).toEqual(['200']);
      await expectExact(loads, 0);
    },
    2 * TIMEOUT_MS,
  );

  it('does what is drilled in all of its processes, each to its end though the API is silent', async () => {
    const ingest = await scene.start();
    const endsAtMs = performance.now() + DRILL_SECONDS * 1_000;
    await around.drill({ policy: 'telemetry_batches', does: 'open', seconds: DRILL_SECONDS });
    await around.drill({ policy: 'key_list', does: 'slow', seconds: 300 });
    const beside = await scene.startBeside();
    const both = { telemetry_batches: 'open', key_list: 'slow' };
    for (const each of [ingest, beside])
      await until(async () => isDeepStrictEqual(await each.drills(), both), DRILL_SECONDS * 1_000);
    around.pauseApi();
    expect(await statusOfEvent(beside.port, scene.tenant().writeKey)).toBe(200);
    await until(async () => (await beside.books()).spilled === 1);
    await scene.endIngest();
    expect(await (await scene.start()).drills()).toEqual({});
    await until(async () => !('telemetry_batches' in (await beside.drills())), 2 * DRILL_SECONDS * 1_000);
    expect(performance.now()).toBeGreaterThan(endsAtMs - 1_000);
    expect(await beside.drills()).toEqual({ key_list: 'slow' });
    around.resumeApi();
    await around.drill({ policy: 'key_list', does: 'slow', seconds: 1 });
  });

  it(
    'all of them at a cold start, answers 200, refuses what was refused, and stores each event once',
    async () => {
      const [good, revoked] = [await around.makeWriteKey('good'), await around.makeWriteKey('revoked')];
      await around.command('tenant', 'create', 'paused');
      const paused = await around.command('write-key', 'create', 'paused', '--name', 'paused');
      const ingest = await scene.start();
      const { port } = ingest;
      const statuses = (): Promise<number[]> =>
        Promise.all(
          [good, revoked, { key: String(paused['key']) }].map(({ key }) => statusOfEvent(port, key)),
        );
      expect(await statuses()).toEqual([200, 200, 200]);
      await around.revoke(revoked);
      await around.command('tenant', 'suspend', 'paused', '--reason', 'to see that its telemetry is refused');
      await until(async () => String(await statuses()) === '200,401,403', REVOKED_WITHIN_MS);
      await scene.ingest.settled(SETTLED_WITHIN_MS);

      await all().stop();
      await scene.endIngest();
      await scene.start();
      expect(await statuses()).toEqual([200, 401, 403]);
      const sending: Sending = { tenantId: '', keyId: good.id, writeKey: good.key };
      const load = scene.send([sending], { seconds: OUTAGE_MS / 1_000 });
      const outcome = await load.outcome;
      expect(await all().isAway()).toBe(true);
      expect((await scene.ingest.books()).stored).toBe(0);
      await scene.store.resume();
      say(`started with all away: ${outcomeText(outcome)}`);
      expect(Object.keys(outcome.statuses)).toEqual(['200']);
      // The three events that were sent by themselves are one that was taken.
      await expectExact([load], 1);
    },
    TIMEOUT_MS,
  );
});

describe('Ingest whose store is killed', () => {
  let scene: Scene;
  beforeAll(async () => (scene = await Scene.open()));
  afterAll(() => scene.close());

  it('over and over, in the middle of batches, stores no event twice and misses none', async () => {
    const ingest = await scene.start();
    const rounds = isLong ? 20 : 4;
    const load = scene.send([scene.tenant()], { seconds: rounds * 2 + 5 });
    for (let round = 0; round < rounds; round += 1) {
      await sleep(500 + Math.random() * 500);
      await scene.store.kill();
      await sleep(300);
      await scene.store.resume();
    }
    load.stop();
    const outcome = await load.outcome;
    const books = await ingest.settled(SETTLED_WITHIN_MS);
    say(`killed ${rounds} times: ${outcomeText(outcome)}`, booksText(books));
    expect(Object.keys(outcome.statuses)).toEqual(['200']);
    expect(unaccounted(books)).toBe(0);
    expect(await scene.store.idsOf(load.run)).toEqual(outcome.acknowledged.toSorted());
  });
});

/** Latency beside that of before, for people: it is told, and not asserted. */
function ratioText(before: LoadOutcome, outcome: LoadOutcome): string {
  return `${outcomeText(outcome)}, p99 ${(outcome.p99Ms / before.p99Ms).toFixed(1)} x that of before`;
}
