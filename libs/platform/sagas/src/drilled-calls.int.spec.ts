import { Conflict, newId } from '@holdfast/kernel';
import { drillSaga, type DrilledSaga } from '@holdfast/testing';
import { z } from 'zod';
import { SagaStage } from '../test/saga-stage';
import { saga } from './saga';
import { stepKey } from './saga-work';

/** What a bank does wrong, of what a step that calls it relies on. */
const FLAWS = [
  'knows no key that it was never called with',
  'takes what arrives behind its cancellation',
  'counts what arrives twice',
  'cancels once',
  'refuses what it is told again',
] as const;

/** A bank that keeps the contract, but for its flaw. */
class Bank {
  private readonly made = new Map<string, number>();
  private readonly cancelled = new Set<string>();

  constructor(private readonly flaw?: (typeof FLAWS)[number]) {}

  /** How often it has what was called with the key. */
  count(key: string): number {
    return this.made.get(key) ?? 0;
  }

  async call(key: string, signal: AbortSignal): Promise<void> {
    await Promise.resolve();
    signal.throwIfAborted();
    if (this.cancelled.has(key) && this.flaw !== 'takes what arrives behind its cancellation')
      throw new Conflict();
    if (this.count(key) > 0 && this.flaw === 'refuses what it is told again') throw new Conflict();
    this.made.set(key, this.flaw === 'counts what arrives twice' ? this.count(key) + 1 : 1);
  }

  async cancel(key: string): Promise<void> {
    await Promise.resolve();
    const isUnknown = this.count(key) === 0 && !this.cancelled.has(key);
    if (isUnknown && this.flaw === 'knows no key that it was never called with') throw new Error('404');
    if (this.cancelled.has(key) && this.flaw === 'cancels once') throw new Error('409');
    this.cancelled.add(key);
    this.made.delete(key);
  }
}

let bank = new Bank();

const booking = saga({ name: 'test.drilled_booking', input: z.object({}) })
  .compensatable('reserve', {
    call: ({ key, signal }) => bank.call(key, signal),
    cancel: ({ key }) => bank.cancel(key),
  })
  .retriable('notify', { call: ({ key, signal }) => bank.call(key, signal) })
  .build();

describe('A drill of a saga that calls others', () => {
  let stage: SagaStage;
  beforeAll(async () => void (stage = await SagaStage.open()));
  afterAll(() => stage.close());

  const ends = { completed: 0, compensated: 0, none: 0, needs_operator: 0 };

  function drill(): Promise<number> {
    return drillSaga({
      ...{ database: stage.database, saga: booking },
      arrange: () => Promise.resolve({ tenantId: newId(), input: {} }),
      check: ({ id, state }: DrilledSaga) => {
        ends[state] += 1;
        const has = ['reserve', 'notify'].map((step) => bank.count(stepKey(id, step)));
        expect([state, has]).toEqual([state, state === 'completed' ? [1, 1] : [0, 0]]);
        return Promise.resolve();
      },
    });
  }

  it('finds nothing with one that keeps to what they may rely on', async () => {
    bank = new Bank();
    const cases = await drill();
    expect(ends.completed).toBeGreaterThan(30);
    expect(ends.compensated).toBeGreaterThan(30);
    process.stdout.write(`${cases} cases: ${JSON.stringify(ends)}\n`);
  }, 120_000);

  it.each(FLAWS)(
    'finds one that %s',
    async (flaw) => {
      bank = new Bank(flaw);
      await expect(drill()).rejects.toThrow(/test\.drilled_booking .* after \[/);
    },
    120_000,
  );
});
