import { setTimeout as sleep } from 'node:timers/promises';
import { slopeOf } from '@holdfast/testing';
import { booksText, unaccounted } from './books';
import { outcomeText, say, Scene } from './scene';

const SOAK_SECONDS = process.env['HOLDFAST_TEST_LONG'] ? 300 : 6;
/** The load, and what it takes to start and to read everything. */
const TIMEOUT_MS = 180_000 + 2_000 * SOAK_SECONDS;
/** What a process that keeps something of every event would have grown by in five minutes is several times this. */
const GROWTH_MAX_MB = 64;

// Guards promise 7 and row 23 of the faults: memory is flat under a steady load, with the store away now and then.
describe('Under a steady load of 5,000 events a second', () => {
  let scene: Scene;
  beforeEach(async () => (scene = await Scene.open()));
  afterEach(() => scene.close());

  it(
    'ingest holds as much at the end as in the middle, and every event is stored once',
    async () => {
      const ingest = await scene.start();
      const tenants = Array.from({ length: 4 }, () => scene.tenant());
      const load = scene.send(tenants, { seconds: SOAK_SECONDS, events: 50, perSecond: 100 });
      const residentMb: number[] = [];
      for (let second = 0; second < SOAK_SECONDS; second += 1) {
        await sleep(1_000);
        if (second % 60 === 2) await scene.store.kill();
        if (second % 60 === 4) await scene.store.resume();
        residentMb.push((await ingest.usage()).residentMb);
      }
      const outcome = await load.outcome;
      const books = await ingest.settled(60_000);
      const third = Math.floor(residentMb.length / 3);
      const middle = Math.max(...residentMb.slice(third, 2 * third));
      const end = Math.max(...residentMb.slice(2 * third));
      say(
        outcomeText(outcome),
        booksText(books),
        `${Math.round(middle)} MB in the middle, ${Math.round(end)} MB at the end, ${(60 * slopeOf(residentMb.slice(third))).toFixed(2)} MB a minute`,
      );
      expect(Object.keys(outcome.statuses)).toEqual(['200']);
      expect(unaccounted(books)).toBe(0);
      expect(await scene.store.idsOf(load.run)).toEqual(outcome.acknowledged.toSorted());
      expect(end - middle).toBeLessThan(GROWTH_MAX_MB);
    },
    TIMEOUT_MS,
  );
});
