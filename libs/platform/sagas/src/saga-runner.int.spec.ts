import { Conflict, newId } from '@holdfast/kernel';
import { drillSaga } from '@holdfast/testing';
import { z } from 'zod';
import { effect } from '../test/effects';
import { SagaStage } from '../test/saga-stage';
import { saga } from './saga';
import { stepKey } from './saga-work';
import { sagaSeconds } from './sagas-metrics';

const input = z.object({ other: z.string(), refuseAt: z.string().optional() });

/** Two steps here, one in another tenant, then one that has to be done. */
const trip = saga({ name: 'test.trip', input })
  .compensatable('flight', {
    run: async (tx, { key }) => {
      await effect(tx, key, 'made');
      return { seat: '12A' };
    },
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .compensatable('hotel', {
    tenant: ({ other }) => other,
    run: async (tx, { key, results }) => {
      await effect(tx, key, 'made');
      return { room: `of ${results.flight.seat}` };
    },
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .pivot('decide', {
    run: (tx, { key, input: { refuseAt } }) => {
      if (refuseAt === 'decide') throw new Conflict();
      return effect(tx, key, 'made');
    },
  })
  .retriable('ticket', { tenant: ({ other }) => other, run: (tx, { key }) => effect(tx, key, 'made') })
  .build();

/** Its first step is in another tenant. */
const abroad = saga({ name: 'test.abroad', input: z.object({ other: z.string() }) })
  .compensatable('there', {
    tenant: ({ other }) => other,
    run: (tx, { key }) => effect(tx, key, 'made'),
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .build();

/** What has to be done in another tenant is refused there. */
const unwelcome = saga({ name: 'test.unwelcome', input: z.object({ other: z.string() }) })
  .compensatable('there', {
    tenant: ({ other }) => other,
    run: (tx, { key }) => effect(tx, key, 'made'),
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .retriable('stay', {
    ...{ tenant: ({ other }) => other, attemptsMax: 1 },
    run: () => Promise.reject(new Conflict()),
  })
  .build();

describe('SagaRunner', () => {
  let stage: SagaStage;
  beforeAll(async () => {
    stage = await SagaStage.open();
  });
  afterAll(() => stage.close());

  it('does the steps in their order, each once, in the tenants that they name', async () => {
    const [tenantId, other] = [newId(), newId()];
    const id = await stage.begin(stage.runner(), tenantId, trip, { other });
    expect(await stage.until(id, 'completed')).toMatchObject({
      results: { flight: { seat: '12A' }, hotel: { room: 'of 12A' }, ticket: null },
    });
    expect(await stage.trail(tenantId)).toEqual([
      'sagas.saga.started',
      ...['test.effect.made', 'sagas.saga.step_completed flight'],
      'sagas.saga.step_completed hotel',
      ...['test.effect.made', 'sagas.saga.step_completed decide'],
      'sagas.saga.step_completed ticket',
      'sagas.saga.completed',
    ]);
    expect(await stage.trail(other)).toEqual([
      ...['test.effect.made', 'sagas.participation.completed hotel'],
      ...['test.effect.made', 'sagas.participation.completed ticket'],
    ]);
    expect(stage.reports.splice(0)).toEqual([]);
  });

  it('compensates in the reverse order what was done before a step refused', async () => {
    const [tenantId, other] = [newId(), newId()];
    const runner = stage.runner();
    const before = await timed('compensated');
    const id = await stage.begin(runner, tenantId, trip, { other, refuseAt: 'decide' });
    await stage.until(id, 'compensated');
    await runner.whenIdle(id);
    const { count, seconds } = await timed('compensated');
    expect(count - before.count).toBe(1);
    expect(seconds - before.seconds).toBeLessThan(60);
    expect(await stage.trail(tenantId)).toEqual([
      'sagas.saga.started',
      ...['test.effect.made', 'sagas.saga.step_completed flight'],
      'sagas.saga.step_completed hotel',
      'sagas.saga.compensation_begun',
      'sagas.saga.step_compensated hotel',
      ...['test.effect.undone', 'sagas.saga.step_compensated flight'],
      'sagas.saga.compensated',
    ]);
    expect(await stage.trail(other)).toEqual([
      ...['test.effect.made', 'sagas.participation.completed hotel'],
      ...['test.effect.undone', 'sagas.participation.compensated hotel'],
    ]);
    expect(stage.reports.splice(0)).toHaveLength(1);
  });

  it('tells neither tenant of the other: not why a step refuses, and not whose request it was', async () => {
    const [tenantId, other] = [newId(), newId()];
    const traceparent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;
    const id = await stage.begin(stage.runner(), tenantId, unwelcome, { other }, { traceparent });
    const { reason } = await stage.until(id, 'needs_operator');
    expect(reason).toBe('sagas.participant_refused');
    const told = await stage.database.admin<{ tenantId: string; text: string; correlation: string }>(
      `select tenant_id as "tenantId", correlation_id as correlation, concat_ws(' ', correlation_id, traceparent, data) as text
       from events.log where tenant_id = any ($1)`,
      [[tenantId, other]],
    );
    const of = (tenant: string): string =>
      told
        .filter((each) => each.tenantId === tenant)
        .map(({ text }) => text)
        .join();
    expect(of(tenantId)).toContain(traceparent);
    expect(of(tenantId)).not.toContain(new Conflict().code);
    expect(of(other)).not.toContain(traceparent);
    const correlations = new Set(
      told.filter((each) => each.tenantId === other).map((each) => each.correlation),
    );
    expect([...correlations]).toEqual([id]);
    expect(stage.reports.splice(0)).toHaveLength(1);
  });

  const timed = async (state: string): Promise<{ readonly count: number; readonly seconds: number }> => {
    const { values } = await sagaSeconds.get();
    const of = (end: string): number =>
      values.find(
        ({ metricName, labels }) =>
          metricName?.endsWith(end) && labels.saga === trip.name && labels.state === state,
      )?.value ?? 0;
    return { count: of('_count'), seconds: of('_sum') };
  };

  it('ends under the definition that it began under: a process that does not have that leaves it alone', async () => {
    const [runner, tenantId] = [stage.runner(), newId()];
    // Without a lane: nobody has taken it up.
    const id = await stage.begin(stage.runner(0), tenantId, trip, { other: newId() });
    const change = (hash: string): Promise<unknown> =>
      stage.database.admin('update sagas.sagas set hash = $2 where id = $1', [id, hash]);
    await change('of another release');
    expect(await runner.runDue()).toBe(0);
    expect(await stage.find(id)).toMatchObject({ state: 'running', place: 0 });
    await change(trip.hash);
    expect(await runner.runDue()).toBe(1);
    await stage.until(id, 'completed');
  });

  it('is taken up though many of another release are due before it', async () => {
    const [runner, beginner] = [stage.runner(), stage.runner(0)];
    const [tenantId, known] = [newId(), newId()];
    for (let count = 0; count < 100; count += 1)
      await stage.begin(beginner, tenantId, trip, { other: newId() });
    await stage.database.admin("update sagas.sagas set hash = 'of another release' where tenant_id = $1", [
      tenantId,
    ]);
    const id = await stage.begin(beginner, known, trip, { other: newId() });
    expect(await runner.runDue()).toBe(1);
    await stage.until(id, 'completed');
  });

  it('that was begun in what was undone is not there, and does nothing', async () => {
    const [runner, other] = [stage.runner(), newId()];
    const caller = await stage.database.caller();
    let id = '';
    await stage.database.tenants(1).transaction(caller, async (tx) => {
      const undone = tx.savepoint(async () => {
        id = await runner.begin(tx, abroad, { other });
        throw new RangeError('undone');
      });
      await expect(undone).rejects.toThrow('undone');
    });
    await runner.whenIdle(id);
    expect(await stage.trail(other)).toEqual([]);
  });

  it('is whole or undone, once, whatever happens to the process at whichever transaction', async () => {
    const ends = { completed: 0, compensated: 0, none: 0, needs_operator: 0 };
    const cases = await drillSaga({
      database: stage.database,
      saga: trip,
      arrange: () => Promise.resolve({ tenantId: newId(), input: { other: newId() } }),
      check: async ({ id, state }) => {
        ends[state] += 1;
        const keys = trip.steps.map(({ name }) => stepKey(id, name));
        const made = await stage.database.admin<{ id: string; types: string[] }>(
          `select stream_id as id, array_agg(type order by seq) as types from events.log
           where stream_type = 'test.effect' and stream_id = any ($1) group by stream_id`,
          [keys],
        );
        const of = (name: string): string =>
          made.find((each) => each.id === stepKey(id, name))?.types.join() ?? 'nothing';
        const [flight, hotel, decide, ticket] = trip.steps.map(({ name }) => of(name));
        const undone = ['nothing', 'test.effect.made,test.effect.undone'];
        if (state === 'completed')
          expect([flight, hotel, decide, ticket]).toEqual(Array(4).fill('test.effect.made'));
        else {
          expect(['compensated', 'none']).toContain(state);
          expect(undone).toContain(flight);
          expect(undone).toContain(hotel);
          expect([decide, ticket]).toEqual(['nothing', 'nothing']);
        }
      },
    });
    expect(ends.completed).toBeGreaterThan(20);
    expect(ends.compensated).toBeGreaterThan(20);
    process.stdout.write(`${cases} cases: ${JSON.stringify(ends)}\n`);
  }, 240_000);
});
