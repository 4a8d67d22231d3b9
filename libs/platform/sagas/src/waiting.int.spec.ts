import { newId } from '@holdfast/kernel';
import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';
import { effect } from '../test/effects';
import { SagaStage } from '../test/saga-stage';
import { saga } from './saga';

const approved = eventType('test.request.approved', {
  version: 1,
  description: 'Somebody has approved.',
  schema: z.object({ by: z.string() }),
  example: { by: 'nobody' },
});
const input = z.object({ request: z.string(), untilMs: z.number().default(0) });

const approval = saga({ name: 'test.approval', input })
  .compensatable('hold', {
    run: (tx, { key }) => effect(tx, key, 'made'),
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .waitFor('approval', { event: approved, streamId: (ctx) => ctx.input.request, timeoutSeconds: 600 })
  .waitUntil('opening', (ctx) => new Date(ctx.input.untilMs))
  .retriable('book', { run: (tx, { key }) => effect(tx, key, 'made') })
  .build();

/** Waits before anything else. */
const later = saga({ name: 'test.later', input: z.object({ untilMs: z.number() }) })
  .waitUntil('opening', (ctx) => new Date(ctx.input.untilMs))
  .retriable('book', { run: (tx, { key }) => effect(tx, key, 'made') })
  .build();

describe('A saga that waits', () => {
  let stage: SagaStage;
  beforeAll(async () => {
    stage = await SagaStage.open();
  });
  afterAll(() => stage.close());

  async function approve(tenantId: string, request: string): Promise<void> {
    const caller = await stage.database.caller(tenantId);
    await stage.database.tenants(1).transaction(caller, (tx) =>
      tx.announce({
        ...{ id: newId(), type: approved.type, schemaVersion: 1, streamType: approved.streamType },
        ...{ streamId: request, streamVersion: 1n, payload: '{"by": "ann"}' },
      }),
    );
  }

  const at = async (id: string, place: number): Promise<void> => {
    while ((await stage.find(id)).place !== place) await new Promise(setImmediate);
  };

  it('goes on when the event is there, and holds no lease before', async () => {
    const [tenantId, request] = [newId(), newId()];
    const runner = stage.runner();
    const id = await stage.begin(runner, tenantId, approval, { request, untilMs: 0 });
    await at(id, 1);
    await approve(newId(), request); // Of another tenant, which is nobody's business here.
    while ((await leaseOf(id)) !== null) await new Promise(setImmediate);
    await runner.runDue();
    expect(await stage.find(id)).toMatchObject({ state: 'running', place: 1 });
    await approve(tenantId, request);
    await runner.runDue();
    expect(await stage.find(id)).toMatchObject({ state: 'completed', results: { approval: { by: 'ann' } } });
  });

  it('takes an event that is older than itself', async () => {
    const [tenantId, request] = [newId(), newId()];
    await approve(tenantId, request);
    const id = await stage.begin(stage.runner(), tenantId, approval, { request, untilMs: 0 });
    await stage.until(id, 'completed');
  });

  it('is given up when the time is over', async () => {
    const [tenantId, runner] = [newId(), stage.runner()];
    const id = await stage.begin(runner, tenantId, approval, { request: newId(), untilMs: 0 });
    await at(id, 1);
    while ((await leaseOf(id)) !== null) await new Promise(setImmediate);
    await stage.database.admin(`update sagas.sagas set step_deadline_at = clock_timestamp() where id = $1`, [
      id,
    ]);
    await stage.hurry(runner, id);
    expect(await stage.find(id)).toMatchObject({ state: 'compensated', reason: 'sagas.timed_out' });
    expect(await stage.trail(tenantId)).toContain('test.effect.undone');
  });

  it('waits for its instant, also through restarts', async () => {
    const [tenantId, request] = [newId(), newId()];
    await approve(tenantId, request);
    const id = await stage.begin(stage.runner(), tenantId, approval, {
      request,
      untilMs: Date.now() + 1_500,
    });
    await at(id, 2);
    const other = stage.runner();
    other.start();
    const startedAtMs = Date.now();
    await stage.until(id, 'completed');
    expect(Date.now() - startedAtMs).toBeGreaterThan(100);
  });

  it('waits by the database’s clock, not by that of the process', async () => {
    const untilMs = Date.now() + 60_000;
    const real = Date.now;
    const spy = jest.spyOn(Date, 'now').mockImplementation(() => real.call(Date) + 300_000);
    const runner = stage.runner();
    const id = await stage.begin(runner, newId(), later, { untilMs }).finally(() => spy.mockRestore());
    await runner.whenIdle(id);
    expect(await stage.find(id)).toMatchObject({ state: 'running', place: 0 });
    await stage.database.admin(
      `update sagas.sagas set input = '{"untilMs": 0}', due_at = clock_timestamp() where id = $1`,
      [id],
    );
    await runner.runDue();
    expect(await stage.find(id)).toMatchObject({ state: 'completed' });
  });

  it('can be cancelled meanwhile', async () => {
    const [tenantId, runner] = [newId(), stage.runner()];
    const id = await stage.begin(runner, tenantId, approval, { request: newId(), untilMs: 0 });
    await at(id, 1);
    while ((await leaseOf(id)) !== null) await new Promise(setImmediate);
    await stage.steer(tenantId, id, 'cancel');
    await runner.runDue();
    expect(await stage.find(id)).toMatchObject({ state: 'compensated', reason: 'sagas.cancelled' });
    await expect(stage.steer(tenantId, id, 'cancel')).rejects.toMatchObject({ code: 'sagas.ended' });
  });

  async function leaseOf(id: string): Promise<unknown> {
    const [row] = await stage.database.admin<{ lease: unknown }>(
      'select lease_until as lease from sagas.sagas where id = $1',
      [id],
    );
    return row?.lease;
  }
});
