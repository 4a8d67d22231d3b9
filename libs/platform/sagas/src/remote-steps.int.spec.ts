import { DomainError, newId } from '@holdfast/kernel';
import { z } from 'zod';
import { effect } from '../test/effects';
import { SagaStage } from '../test/saga-stage';
import { saga } from './saga';

/** A bank that is asked under keys: what it has done, and what it does to a request. */
class Bank {
  readonly done = new Map<string, 'paid' | 'cancelled'>();
  readonly asked: string[] = [];
  /** What becomes of the requests that come next. */
  readonly plans: ('fails' | 'loses its answer' | 'refuses')[] = [];

  pay(key: string): Promise<string> {
    this.asked.push('pay');
    const plan = this.plans.shift();
    if (plan === 'fails') throw new Error('the bank is away');
    if (plan === 'refuses') throw new Refused();
    if (this.done.get(key) === 'cancelled') throw new Refused();
    this.done.set(key, 'paid');
    if (plan === 'loses its answer') throw new Error('the answer is lost');
    return Promise.resolve(`receipt of ${key}`);
  }

  cancel(key: string): Promise<void> {
    this.asked.push('cancel');
    if (this.plans.shift() === 'fails') throw new Error('the bank is away');
    this.done.set(key, 'cancelled');
    return Promise.resolve();
  }
}

class Refused extends DomainError {
  readonly code = 'test.refused';
  readonly kind = 'refused';
  constructor() {
    super('The bank has refused.');
  }
}

let bank = new Bank();
const input = z.object({ refuses: z.boolean().default(false) });

const booking = saga({ name: 'test.booking', input })
  .compensatable('hold', {
    run: (tx, { key }) => effect(tx, key, 'made'),
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .compensatable('reserve', {
    call: ({ key }) => bank.pay(key),
    cancel: ({ key }) => bank.cancel(key),
    attemptsMax: 3,
  })
  .retriable('confirm', { run: (tx, { key }) => effect(tx, key, 'made') })
  .build();

const pivoting = saga({ name: 'test.pivoting', input })
  .compensatable('hold', {
    run: (tx, { key }) => effect(tx, key, 'made'),
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .pivot('pay', { call: ({ key }) => bank.pay(key), attemptsMax: 3 })
  .retriable('book', { run: (tx, { key }) => effect(tx, key, 'made') })
  .build();

/** Whoever is not answered, whatever its signal says, until the other side is back. */
let silent: (() => void)[] | undefined;
const unheeding = (): Promise<void> => new Promise((resolve) => void (silent?.push(resolve) ?? resolve()));
const deaf = saga({ name: 'test.deaf', input })
  .compensatable('reserve', { call: unheeding, cancel: unheeding, callSeconds: 0.05, attemptsMax: 1 })
  .retriable('confirm', { run: (tx, { key }) => effect(tx, key, 'made') })
  .build();

describe('A step outside', () => {
  let stage: SagaStage;
  beforeAll(async () => {
    stage = await SagaStage.open();
  });
  afterAll(() => stage.close());
  beforeEach(() => {
    bank = new Bank();
  });

  it('is called again under its key until it answers, and is in effect once', async () => {
    bank.plans.push('fails', 'loses its answer');
    const runner = stage.runner();
    const id = await stage.begin(runner, newId(), booking, { refuses: false });
    while ((await stage.find(id)).state === 'running') await stage.hurry(runner, id);
    expect(await stage.find(id)).toMatchObject({
      state: 'completed',
      results: { reserve: expect.any(String) },
    });
    expect(bank.asked).toEqual(['pay', 'pay', 'pay']);
    expect([...bank.done.values()]).toEqual(['paid']);
  });

  it('is cancelled where nobody knows what came of it', async () => {
    bank.plans.push('fails', 'fails', 'loses its answer', 'fails');
    const [runner, tenantId] = [stage.runner(), newId()];
    const id = await stage.begin(runner, tenantId, booking, { refuses: false });
    while ((await stage.find(id)).state !== 'compensated') await stage.hurry(runner, id);
    expect(bank.asked).toEqual(['pay', 'pay', 'pay', 'cancel', 'cancel']);
    expect([...bank.done.values()]).toEqual(['cancelled']);
    expect((await stage.trail(tenantId)).slice(-4)).toEqual([
      'sagas.saga.step_compensated reserve',
      ...['test.effect.undone', 'sagas.saga.step_compensated hold'],
      'sagas.saga.compensated',
    ]);
  });

  it('turns the saga back when it refuses, also as the pivot', async () => {
    bank.plans.push('loses its answer', 'refuses');
    const runner = stage.runner();
    const id = await stage.begin(runner, newId(), pivoting, { refuses: false });
    while ((await stage.find(id)).state === 'running') await stage.hurry(runner, id);
    expect(await stage.find(id)).toMatchObject({ state: 'compensated', reason: 'test.refused' });
  });

  it('that heeds no signal is waited for no longer than one that does, and what it says late counts no more', async () => {
    const late: (() => void)[] = (silent = []);
    const runner = stage.runner();
    const id = await stage.begin(runner, newId(), deaf, { refuses: false });
    await runner.whenIdle(id);
    const compensating = { state: 'compensating', place: 0, reason: 'sagas.failed.TimeoutError' };
    expect(await stage.find(id)).toMatchObject(compensating);
    expect(late).toHaveLength(2);
    silent = undefined;
    for (const answer of late) answer();
    await runner.whenIdle(id);
    expect(await stage.find(id)).toMatchObject(compensating);
    await stage.hurry(runner, id);
    expect(await stage.find(id)).toMatchObject({ state: 'compensated' });
  });

  it('that is the pivot is never given up once it was called: an operator is asked, and has it go on', async () => {
    bank.plans.push('loses its answer', 'fails', 'fails');
    const [runner, tenantId] = [stage.runner(), newId()];
    const id = await stage.begin(runner, tenantId, pivoting, { refuses: false });
    while ((await stage.find(id)).state === 'running') await stage.hurry(runner, id);
    expect(await stage.find(id)).toMatchObject({
      state: 'needs_operator',
      reason: 'sagas.failed.Error',
      place: 1,
    });
    await expect(stage.steer(tenantId, id, 'compensate')).rejects.toMatchObject({ code: 'sagas.committed' });
    await stage.steer(tenantId, id, 'retry');
    await stage.hurry(runner, id);
    expect(await stage.find(id)).toMatchObject({ state: 'completed' });
    expect([...bank.done.values()]).toEqual(['paid']);
    await expect(stage.steer(tenantId, id, 'retry')).rejects.toMatchObject({ code: 'sagas.ended' });
  });
});
