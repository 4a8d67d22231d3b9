import { setTimeout as sleep } from 'node:timers/promises';
import { fingerprintOf } from '@holdfast/ingest';
import { booksText, droppedOf, unaccounted } from './books';
import { outcomeText, say, Scene } from './scene';

const SETTLED_WITHIN_MS = 120_000;
const OVERLOAD_MS = process.env['HOLDFAST_TEST_LONG'] ? 60_000 : 3_000;
/** The overload, until its quota is over before it, and until all is stored behind it. */
const TIMEOUT_MS = 180_000 + 2 * OVERLOAD_MS;
/** The free plan's: 1,000 events a second behind a burst of 10,000. */
const FLOOD = { events: 50, perSecond: 100, connections: 8 } as const;
const OVER_QUOTA_WITHIN_MS = 30_000;
/** What a batch and a segment on their way take, each as rows, as text and as bytes, and what V8 has not collected of them yet. */
const ON_THEIR_WAY_MB = 360;
/** Of a process whose ring is full: its rows, twice for what is collected late. */
const memoryMaxMb = (idleMb: number, ringMb: number): number => idleMb + 2 * ringMb + ON_THEIR_WAY_MB;
const RING_MB = 64;

// Guards promise 7 and row 22 of the faults: who sends too much is bounded, counted, and nobody else's trouble.
describe('A tenant that sends five times its quota', () => {
  let scene: Scene;
  beforeEach(async () => (scene = await Scene.open()));
  afterEach(() => scene.close());

  it(
    'is told to come again later and counted, and a tenant beside it that stays within its own loses nothing',
    async () => {
      const [noisy, quiet] = [scene.tenant(), scene.tenant()];
      scene.leaveKeyList({ plans: { free: [fingerprintOf(noisy.tenantId)] } });
      const ingest = await scene.start();
      const idle = await ingest.usage();
      const alone = await scene.send([quiet], { seconds: 2, perSecond: 50 }).outcome;
      const beside = scene.send([quiet], { seconds: 180, perSecond: 50 });
      const flood = scene.send([noisy], { seconds: 180, journal: false, ...FLOOD });
      const deadline = Date.now() + OVER_QUOTA_WITHIN_MS;
      while (!((await ingest.books()).dropped['quota'] ?? 0) && Date.now() < deadline) await sleep(100);
      await sleep(OVERLOAD_MS);
      const under = await ingest.books();
      const { residentMb } = await ingest.usage();
      flood.stop();
      beside.stop();
      const [flooded, kept] = [await flood.outcome, await beside.outcome];
      const books = await ingest.settled(SETTLED_WITHIN_MS);
      say(`quiet alone: ${outcomeText(alone)}`, `quiet beside it: ${outcomeText(kept)}`);
      say(`noisy: ${outcomeText(flooded)}`, booksText(books), `${Math.round(residentMb)} MB`);
      // The fault has landed: its quota is over.
      expect(under.dropped['quota']).toBeGreaterThan(0);
      expect(Object.keys(kept.statuses)).toEqual(['200']);
      expect(Object.keys(flooded.statuses)).toEqual(['200', '429']);
      expect([unaccounted(under), unaccounted(books)]).toEqual([0, 0]);
      expect(await scene.store.idsOf(beside.run)).toEqual(kept.acknowledged.toSorted());
      const sent = ((flooded.statuses[200] ?? 0) + (flooded.statuses[429] ?? 0)) * FLOOD.events;
      const [counted] = await scene.store.rows<{ rows: string }>(
        'select count() as rows from telemetry.tracked final where tenant_id = {tenant:UUID}',
        { tenant: noisy.tenantId },
      );
      expect(Number(counted?.rows) + droppedOf(books)).toBe(sent);
      expect(residentMb).toBeLessThan(memoryMaxMb(idle.residentMb, RING_MB));
    },
    TIMEOUT_MS,
  );
});

describe('A store that is slower than what comes in', () => {
  let scene: Scene;
  beforeEach(async () => (scene = await Scene.open()));
  afterEach(() => scene.close());

  it('costs what does not fit in memory and on disk, counted by reason, and no answer but 200', async () => {
    const tenants = Array.from({ length: 8 }, () => scene.tenant());
    const ingest = await scene.start({ INGEST_SPILL_MAX_MB: '8', INGEST_RING_MB: '4' });
    const idle = await ingest.usage();
    await scene.store.kill();
    const load = scene.send(tenants, { seconds: 60, connections: 8, events: 50, perSecond: 10_000 });
    const deadline = Date.now() + 30_000;
    while (droppedOf(await ingest.books()) === 0 && Date.now() < deadline) await sleep(100);
    await sleep(1_000);
    load.stop();
    const outcome = await load.outcome;
    const full = await ingest.books();
    await scene.store.resume();
    const books = await ingest.settled(SETTLED_WITHIN_MS);
    const stored = await scene.store.idsOf(load.run);
    const { residentMb } = await ingest.usage();
    say(outcomeText(outcome), booksText(full), booksText(books), `${Math.round(residentMb)} MB`);
    // The fault has landed: there was no room.
    expect(droppedOf(full)).toBeGreaterThan(0);
    expect(Object.keys(outcome.statuses)).toEqual(['200']);
    expect([unaccounted(full), unaccounted(books)]).toEqual([0, 0]);
    expect(new Set(stored).size).toBe(stored.length);
    expect(stored.length + droppedOf(books)).toBe(outcome.acknowledged.length);
    expect(residentMb).toBeLessThan(memoryMaxMb(idle.residentMb, 4));
  });

  it(
    'leaves room for who sends little, while others send more than fits',
    async () => {
      const [noisy, quiet] = [Array.from({ length: 4 }, () => scene.tenant()), scene.tenant()];
      const ingest = await scene.start({ INGEST_RING_MB: '4' });
      const idle = await ingest.usage();
      // A sixth of the ring is there for it: ten seconds of a disk that stands still.
      const beside = scene.send([quiet], { seconds: 180, perSecond: 20, connections: 2 });
      const flood = scene.send(noisy, {
        seconds: 180,
        events: 400,
        connections: 16,
        perSecond: 10_000,
        journal: false,
      });
      const deadline = Date.now() + OVER_QUOTA_WITHIN_MS;
      while (!((await ingest.books()).dropped['overload'] ?? 0) && Date.now() < deadline) await sleep(100);
      await sleep(OVERLOAD_MS);
      const { residentMb } = await ingest.usage();
      const under = await ingest.books();
      flood.stop();
      beside.stop();
      const [flooded, kept] = [await flood.outcome, await beside.outcome];
      const books = await ingest.settled(SETTLED_WITHIN_MS);
      say(
        `quiet: ${outcomeText(kept)}`,
        `noisy: ${outcomeText(flooded)}`,
        booksText(books),
        `${Math.round(residentMb)} MB`,
      );
      // The fault has landed: there was no room for the others.
      expect(under.dropped['overload']).toBeGreaterThan(0);
      expect(Object.keys(kept.statuses)).toEqual(['200']);
      expect([unaccounted(under), unaccounted(books)]).toEqual([0, 0]);
      expect(await scene.store.idsOf(beside.run)).toEqual(kept.acknowledged.toSorted());
      expect(residentMb).toBeLessThan(memoryMaxMb(idle.residentMb, 4));
    },
    TIMEOUT_MS,
  );
});
