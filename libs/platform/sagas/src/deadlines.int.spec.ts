import { JOB_TRANSACTION_MS, newId } from '@holdfast/kernel';
import { z } from 'zod';
import { SagaStage } from '../test/saga-stage';
import { saga } from './saga';

/** What each step, and each compensation, is given in milliseconds. */
const given = new Map<string, number | undefined>();
const ended = new Map<string, AbortSignal>();
let otherTenant = newId();

const timed = saga({ name: 'test.timed', input: z.object({}) })
  .compensatable('own', {
    run: async (tx) => void given.set('own', tx.caller.deadline?.leftMs),
    compensate: async (tx) => void given.set('undo own', tx.caller.deadline?.leftMs),
  })
  .compensatable('elsewhere', {
    tenant: () => otherTenant,
    run: async (tx) => void given.set('elsewhere', tx.caller.deadline?.leftMs),
    compensate: async (tx) => void given.set('undo elsewhere', tx.caller.deadline?.leftMs),
  })
  .compensatable('outside', {
    callSeconds: 0.2,
    attemptsMax: 1,
    call: ({ signal, deadline }) => {
      ended.set('outside', signal);
      given.set('outside', deadline.leftMs);
      // A call that is not answered ends with its signal.
      return new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(new Error('too late'))),
      );
    },
    cancel: async ({ signal, deadline }) => {
      ended.set('undo outside', signal);
      given.set('undo outside', deadline.leftMs);
    },
  })
  .build();

describe('The deadline of a step', () => {
  let stage: SagaStage;
  beforeAll(async () => void (stage = await SagaStage.open()));
  afterAll(() => stage.close());

  it('goes with its transactions and calls, there and back', async () => {
    otherTenant = newId();
    const runner = stage.runner();
    const id = await stage.begin(runner, newId(), timed, {});
    await stage.until(id, 'compensated');
    for (const step of ['own', 'elsewhere', 'undo own', 'undo elsewhere']) {
      expect([step, given.get(step)]).toEqual([step, expect.any(Number)]);
      expect(given.get(step)).toBeLessThanOrEqual(JOB_TRANSACTION_MS);
    }
    for (const call of ['outside', 'undo outside']) expect(given.get(call)).toBeLessThanOrEqual(200);
    expect(ended.get('outside')?.aborted).toBe(true);
    expect(ended.has('undo outside')).toBe(true);
  });
});
