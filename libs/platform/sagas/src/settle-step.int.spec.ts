import { newId } from '@holdfast/kernel';
import { metricsText } from '@holdfast/observability';
import { callerOf } from '@holdfast/tenancy';
import { z } from 'zod';
import { effect } from '../test/effects';
import { SagaStage } from '../test/saga-stage';
import { saga } from './saga';
import { type SettledAs, settleStep } from './settle-step';

/** Whether the bank answers, there and back: one that does not never will. */
const bank = { pays: true, cancels: true, tells: true };
const asked = (answers: boolean): Promise<string> =>
  answers ? Promise.resolve('receipt') : Promise.reject(new Error('404'));

const transfer = saga({ name: 'test.settled', input: z.object({}) })
  .compensatable('hold', {
    run: (tx, { key }) => effect(tx, key, 'made'),
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .compensatable('reserve', { call: () => asked(true), cancel: async () => void (await asked(bank.cancels)) })
  .pivot('pay', { call: () => asked(bank.pays), attemptsMax: 1 })
  .retriable('post', { run: (tx, { key }) => effect(tx, key, 'made') })
  .retriable('tell', { call: () => asked(bank.tells), attemptsMax: 1 })
  .build();

const broken = saga({ name: 'test.unsettled', input: z.object({}) })
  .retriable('post', { run: () => Promise.reject(new Error('broken')), attemptsMax: 1 })
  .build();

const TICKET = 'OPS-4711';

describe('A step at which a saga has stopped', () => {
  let stage: SagaStage;
  beforeAll(async () => void (stage = await SagaStage.open()));
  afterAll(() => stage.close());
  beforeEach(() => Object.assign(bank, { pays: true, cancels: true, tells: true }));

  async function stopped(of = transfer): Promise<[string, string]> {
    const [tenantId, runner] = [newId(), stage.runner()];
    const id = await stage.begin(runner, tenantId, of, {});
    await stage.until(id, 'needs_operator');
    await runner.whenIdle(id);
    return [tenantId, id];
  }

  async function settle(tenantId: string, id: string, as: SettledAs): Promise<void> {
    const grant = await stage.grants.forSystem('test', tenantId, '', 'operator:ann');
    const caller = callerOf(grant, { requestId: newId() });
    await stage.database.tenants(1).transaction(caller, (tx) => settleStep(tx, id, { as, ticket: TICKET }));
  }

  it('was done, says the operator: the saga goes on behind it at once, and the bank is asked nothing', async () => {
    bank.pays = false;
    const [tenantId, id] = await stopped();
    await settle(tenantId, id, 'done');
    expect(await stage.find(id)).toMatchObject({ state: 'running', place: 3, results: { pay: null } });
    await stage.runner().runDue();
    expect(await stage.find(id)).toMatchObject({ state: 'completed' });
    const trail = await stage.trail(tenantId);
    expect(trail.slice(trail.indexOf('sagas.saga.operator_needed pay') + 1)).toEqual([
      ...['sagas.saga.step_settled pay', 'sagas.saga.step_completed pay'],
      ...['test.effect.made', 'sagas.saga.step_completed post'],
      ...['sagas.saga.step_completed tell', 'sagas.saga.completed'],
    ]);
    const [told] = await stage.database.admin<object>(
      `select actor, act, data from events.log where tenant_id = $1 and type = 'sagas.saga.step_settled'`,
      [tenantId],
    );
    expect(told).toEqual({
      ...{ actor: 'system:test', act: 'operator:ann' },
      data: { step: 'pay', as: 'done', ticket: TICKET },
    });
  });

  it('ends the saga where it was the last', async () => {
    bank.tells = false;
    const [tenantId, id] = await stopped();
    await expect(settle(tenantId, id, 'refused')).rejects.toMatchObject({ code: 'sagas.committed' });
    const ended = async (): Promise<string | undefined> =>
      /^holdfast_sagas_ended_total\{.*saga="test.settled",state="completed".*\} (\d+)$/m.exec(
        (await metricsText()).text,
      )?.[1];
    const before = Number((await ended()) ?? 0);
    await settle(tenantId, id, 'done');
    expect(await stage.find(id)).toMatchObject({ state: 'completed' });
    expect(Number(await ended())).toBe(before + 1);
    await expect(settle(tenantId, id, 'done')).rejects.toMatchObject({ code: 'sagas.ended' });
  });

  it('has no effect, says the operator: the saga turns back, and so does what the bank cannot take back', async () => {
    Object.assign(bank, { pays: false, cancels: false });
    const [tenantId, id] = await stopped();
    await expect(settle(tenantId, id, 'compensated')).rejects.toMatchObject({
      code: 'sagas.other_direction',
    });
    await settle(tenantId, id, 'refused');
    await stage.runner().runDue();
    await stage.database.admin('update sagas.sagas set attempts = 79 where id = $1', [id]);
    await stage.hurry(stage.runner(), id);
    expect(await stage.find(id)).toMatchObject({ state: 'needs_operator', place: 1 });
    await expect(settle(tenantId, id, 'done')).rejects.toMatchObject({ code: 'sagas.other_direction' });
    await settle(tenantId, id, 'compensated');
    await stage.runner().runDue();
    expect(await stage.find(id)).toMatchObject({ state: 'compensated', place: -1 });
    expect((await stage.trail(tenantId)).slice(-5)).toEqual([
      ...['sagas.saga.step_settled reserve', 'sagas.saga.step_compensated reserve'],
      ...['test.effect.undone', 'sagas.saga.step_compensated hold', 'sagas.saga.compensated'],
    ]);
  });

  it('ends, says the operator, of a saga that nobody has a definition of, once it has stood for long', async () => {
    const tenantId = newId();
    const id = await stage.begin(stage.runner(0), tenantId, broken, {});
    const become = (set: string): Promise<unknown> =>
      stage.database.admin(`update sagas.sagas set ${set} where id = $1`, [id]);
    await become("due_at = clock_timestamp() - interval '6 minutes'");
    await expect(settle(tenantId, id, 'refused')).rejects.toMatchObject({ code: 'sagas.not_stopped' });
    await become("hash = '0123456789abcdef', due_at = clock_timestamp()");
    await expect(settle(tenantId, id, 'refused')).rejects.toMatchObject({ code: 'sagas.not_stopped' });
    await become("due_at = clock_timestamp() - interval '6 minutes'");
    await expect(settle(tenantId, id, 'done')).rejects.toMatchObject({ code: 'sagas.not_stopped' });
    await settle(tenantId, id, 'refused');
    expect(await stage.find(id)).toMatchObject({ state: 'compensated', reason: 'sagas.settled', place: -1 });
    expect((await stage.trail(tenantId)).slice(1)).toEqual([
      ...['sagas.saga.step_settled ', 'sagas.saga.compensation_begun', 'sagas.saga.compensated'],
    ]);
  });

  it('is not settled by hand where the database tells what became of it, or nobody is asked for', async () => {
    const [tenantId, id] = await stopped(broken);
    await expect(settle(tenantId, id, 'done')).rejects.toMatchObject({ code: 'sagas.step_not_outside' });
    expect(await stage.find(id)).toMatchObject({ state: 'needs_operator', place: 0 });
    await stage.steer(tenantId, id, 'retry');
    await expect(settle(tenantId, id, 'done')).rejects.toMatchObject({ code: 'sagas.not_stopped' });
    await expect(settle(tenantId, newId(), 'done')).rejects.toMatchObject({ code: 'resource.not_found' });
  });
});
