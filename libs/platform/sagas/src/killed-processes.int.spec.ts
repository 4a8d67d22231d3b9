import { Random } from '@holdfast/testing';
import { type KilledSaga, KilledSagas } from '../test/killed-sagas';

const isLong = Boolean(process.env['HOLDFAST_TEST_LONG']);
/** The short form kills at every seventh boundary, each time others. */
const STRIDE = isLong ? 1 : 7;
const SEEDS = isLong ? 20 : 1;
const BOUNDARIES_MAX = 100;

// Guards promise 8: what spans transactions is finished or undone, whatever is killed. Processes of their own, and kill -9.
describe('A process that is killed while it runs sagas', () => {
  let sagas: KilledSagas;
  beforeAll(async () => {
    sagas = await KilledSagas.open();
    // It builds the program first, unless that is done.
  }, 120_000);
  afterAll(() => sagas.close());

  async function findBreaks(all: readonly KilledSaga[]): Promise<string[]> {
    return (await Promise.all(all.map((each) => sagas.findBreaks(each)))).flat();
  }

  it(
    'at any boundary of any step leaves them to another, which ends each whole or undone',
    async () => {
      const seed = Math.floor(Math.random() * 2 ** 31);
      const random = new Random(seed);
      const landed = { forward: 0, backward: 0 };
      const worker = await sagas.worker([1]);
      for (const isRefused of [false, true]) {
        const begun: KilledSaga[] = [];
        // Each boundary has two sides.
        for (let side = random.between(2, 1 + STRIDE); side < BOUNDARIES_MAX * 2; side += STRIDE) {
          const at = { at: Math.floor(side / 2), isBehind: side % 2 === 1 };
          const { wasKilled, sagas: killed } = await sagas.kill(at, { isRefused });
          begun.push(...killed);
          if (!wasKilled) break;
          landed[isRefused ? 'backward' : 'forward'] += 1;
        }
        expect([seed, await findBreaks(begun)]).toEqual([seed, []]);
      }
      worker.kill('SIGKILL');
      process.stdout.write(
        `seed ${seed}: killed ${landed.forward} times forward, ${landed.backward} backward\n`,
      );
      // As many transactions and calls as the saga has there, and back, before and behind.
      expect(landed.forward).toBeGreaterThanOrEqual(Math.floor(24 / STRIDE));
      expect(landed.backward).toBeGreaterThanOrEqual(Math.floor(24 / STRIDE));
    },
    isLong ? 900_000 : 180_000,
  );

  (isLong ? describe : describe.skip)('at random', () => {
    it('among several sagas leaves them to others that are killed as well', async () => {
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        const random = new Random(seed);
        let worker = await sagas.worker([1]);
        const begun: KilledSaga[] = [];
        let kills = 0;
        for (let round = 0; round < 4; round += 1) {
          const at = { at: random.between(2, 40), isBehind: random.next() < 0.5 };
          const { wasKilled, sagas: killed } = await sagas.kill(at, {
            isRefused: random.next() < 0.5,
            count: 4,
          });
          begun.push(...killed);
          kills += wasKilled ? 1 : 0;
          worker.kill('SIGKILL');
          await sagas.database.admin('update sagas.sagas set lease_until = null where due_at is not null');
          worker = await sagas.worker([1]);
        }
        const breaks = await findBreaks(begun);
        worker.kill('SIGKILL');
        expect([seed, kills > 0, breaks]).toEqual([seed, true, []]);
      }
    }, 900_000);
  });

  it('leaves one of an older definition to a process that has it, and to no other', async () => {
    const { sagas: old } = await sagas.kill({ at: 4, isBehind: true }, { isRefused: false, revision: 1 });
    const recent = await sagas.worker([2]);
    const { sagas: fresh } = await sagas.kill({ at: 4, isBehind: true }, { isRefused: false, revision: 2 });
    const [before, after] = [old[0]?.id ?? '', fresh[0]?.id ?? ''];
    expect(await sagas.ended(after)).toBe('completed');
    // That one was due first, and is as it was.
    expect(
      await sagas.database.admin('select state, place, fence::int from sagas.sagas where id = $1', [before]),
    ).toEqual([{ state: 'running', place: 2, fence: 1 }]);
    const both = await sagas.worker([1, 2]);
    expect(await findBreaks([...old, ...fresh])).toEqual([]);
    expect([await sagas.revisionsOf(before), await sagas.revisionsOf(after)]).toEqual([[1], [2]]);
    recent.kill('SIGKILL');
    both.kill('SIGKILL');
  }, 120_000);
});
