import { Random } from '@holdfast/testing';
import {
  BANK_CALLS,
  BANK_KINDS,
  BOUNDARIES,
  KilledPayments,
  KINDS,
  type PaymentKind,
} from './killed-payments';

const isLong = Boolean(process.env['HOLDFAST_TEST_LONG']);
/** The short form kills at every eleventh boundary, each time others. */
const STRIDE = isLong ? 1 : 11;
const SEEDS = Number(process.env['HOLDFAST_FAULT_SEEDS'] ?? (isLong ? 20 : 1));
const TAKERS = isLong ? 3 : 1;

// Guards promises 2 and 8 where a payment is: processes of their own, and kill -9.
describe('Processes that are killed while they make payments', () => {
  const first = Math.floor(Math.random() * 2 ** 31);
  let payments: KilledPayments;
  beforeAll(async () => {
    // It builds the program first, unless that is done.
    payments = await KilledPayments.open();
  }, 240_000);
  afterAll(() => payments.close());

  /** Kills at every STRIDEth boundary of a kind, before and behind; answers how often. */
  async function sweep(kind: PaymentKind, random: Random): Promise<number> {
    const sides = 2 * BOUNDARIES[kind];
    let kills = 0;
    for (let side = random.between(0, STRIDE - 1); side < sides; side += STRIDE) {
      const at = { at: 1 + Math.floor(side / 2), isBehind: side % 2 === 1 };
      expect([kind, at, await payments.kill(kind, at, random)]).toEqual([kind, at, true]);
      kills += 1;
    }
    // Those were all.
    const beyond = { at: BOUNDARIES[kind] + 1, isBehind: false };
    if (isLong) expect([kind, await payments.kill(kind, beyond, random)]).toEqual([kind, false]);
    return kills;
  }

  /** Kills when the bank has done what it was asked: at every call of every kind, or at one of them. */
  async function sweepCalls(random: Random): Promise<number> {
    const all = BANK_KINDS.flatMap((kind) =>
      Array.from({ length: BANK_CALLS }, (_, index) => ({ kind, at: index + 1 })),
    );
    const chosen = isLong ? all : [random.pick(all)];
    for (const { kind, at } of chosen)
      expect([kind, at, await payments.killAsking(kind, at, random)]).toEqual([kind, at, true]);
    return chosen.length;
  }

  it(
    `at any boundary leave them to others, which are killed as well, and each is made or given back: ${SEEDS} seeds from ${first}`,
    async () => {
      let kills = 0;
      for (let seed = first; seed < first + SEEDS; seed += 1) {
        const random = new Random(seed);
        await payments.arrange();
        for (const kind of KINDS) kills += await sweep(kind, random);
        kills += await sweepCalls(random);
        for (let taker = 0; taker < TAKERS; taker += 1) {
          const wasKilled = await payments.killTaker(random);
          expect([seed, wasKilled]).not.toEqual([seed, false]);
          kills += wasKilled ? 1 : 0;
        }
        expect([seed, await payments.findBreaks()]).toEqual([seed, []]);
      }
      process.stdout.write(`killed ${kills} times\n`);
    },
    isLong ? 5_400_000 : 180_000,
  );
});
