import { type Caller, Conflict, newId } from '@holdfast/kernel';
import { drillSaga } from '@holdfast/testing';
import { callerOf, TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { z } from 'zod';
import { effect } from '../test/effects';
import { SagaStage } from '../test/saga-stage';
import { type Saga, saga } from './saga';
import { stepKey } from './saga-work';

const input = z.object({ fails: z.enum(['never', 'refused', 'broken', 'cancelled']) });

/** What a step does that is broken, or cancelled, before it goes on. */
let meanwhile: () => Promise<void> = () => Promise.resolve();

/** Steps that touch nothing but what is their saga's. The second is done when it is refused: only its savepoint undoes it. */
const parcel = saga({ name: 'test.parcel', input })
  .compensatable('pack', {
    sharesTransaction: true,
    run: (tx, { key }) => effect(tx, key, 'made'),
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .compensatable('label', {
    sharesTransaction: true,
    run: async (tx, { key, input: { fails } }) => {
      await effect(tx, key, 'made');
      if (fails === 'refused') throw new Conflict();
      if (fails !== 'never') await meanwhile();
    },
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .retriable('send', { sharesTransaction: true, run: (tx, { key }) => effect(tx, key, 'made') })
  .build();

/** Keeps nothing of who it is for. */
const gift = saga({
  name: 'test.gift',
  input: z.object({ to: z.string() }),
  keeps: () => ({ to: 'forgotten' }),
})
  .compensatable('wrap', {
    sharesTransaction: true,
    run: (tx, { key }) => effect(tx, key, 'made'),
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .build();

/** A parcel with a step in between that goes alone, there and back. */
const weighed = saga({ name: 'test.weighed_parcel', input })
  .compensatable('pack', {
    sharesTransaction: true,
    run: (tx, { key }) => effect(tx, key, 'made'),
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .compensatable('weigh', {
    run: (tx, { key }) => effect(tx, key, 'made'),
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .compensatable('seal', {
    sharesTransaction: true,
    run: (tx, { key }) => effect(tx, key, 'made'),
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .pivot('send', {
    sharesTransaction: true,
    run: async (tx, { key, input: { fails } }) => {
      await effect(tx, key, 'made');
      if (fails === 'refused') throw new Conflict();
    },
  })
  .build();

/** Counts transactions that write. */
class CountedTenants extends TenantDatabase {
  count = 0;

  override transaction<T>(caller: Caller, work: (tx: TenantTx) => Promise<T>): Promise<T> {
    this.count += 1;
    return super.transaction(caller, work);
  }
}

const GONE = 'test.effect.made,test.effect.undone';
const TOGETHER = 8;

describe('Sagas that share transactions', () => {
  let stage: SagaStage;
  beforeAll(async () => {
    stage = await SagaStage.open();
  });
  afterAll(() => stage.close());

  /** What the steps of a saga have done. */
  async function effectsOf(id: string, { steps }: Pick<Saga, 'steps'> = parcel): Promise<string[]> {
    const keys = steps.map(({ name }) => stepKey(id, name));
    const made = await stage.database.admin<{ id: string; types: string[] }>(
      `select stream_id as id, array_agg(type order by seq) as types from events.log
       where stream_type = 'test.effect' and stream_id = any ($1) group by stream_id`,
      [keys],
    );
    return keys.map((key) => made.find((each) => each.id === key)?.types.join() ?? 'nothing');
  }

  /** Eight at once, of which the third is another; answers their ids, the third one first, and how many transactions it took. */
  async function send(
    fails: z.infer<typeof input>['fails'],
    tenantId = newId(),
  ): Promise<[string[], number]> {
    const tenants = new CountedTenants(stage.database.tenants(4).database);
    const runner = stage.runner(undefined, tenants);
    const ids = Array.from({ length: TOGETHER }, () => newId());
    const caller = callerOf(await stage.grants.forSystem('test', tenantId), { requestId: newId() });
    const inputOf = (at: number): z.infer<typeof input> => ({ fails: at === 2 ? fails : 'never' });
    await Promise.all(ids.map((id, at) => runner.beginFor(caller, parcel, inputOf(at), id)));
    await Promise.all(ids.map((id) => runner.whenIdle(id)));
    return [[ids[2] ?? '', ...ids.filter((_, at) => at !== 2)], tenants.count];
  }

  async function requireSent(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      expect(await stage.find(id)).toMatchObject({ state: 'completed' });
      expect(await effectsOf(id)).toEqual(Array(3).fill('test.effect.made'));
    }
  }

  it('are begun in one transaction, and take one for each of their steps', async () => {
    const [ids, transactions] = await send('never');
    await requireSent(ids);
    expect(transactions).toBe(4);
  });

  it('are not undone by a step of another that is refused, and that leaves nothing', async () => {
    const [[refused = '', ...others], transactions] = await send('refused');
    await requireSent(others);
    // It is turned back, and the first step is compensated, in the transaction in which it has refused.
    expect(transactions).toBe(4);
    expect(await stage.find(refused)).toMatchObject({ state: 'compensated', reason: 'resource.conflict' });
    expect(await effectsOf(refused)).toEqual([GONE, 'nothing', 'nothing']);
    expect(stage.reports.splice(0)).toHaveLength(1);
  });

  it('go on where a step of another fails, which is tried again by itself', async () => {
    meanwhile = () => Promise.reject(new Error('broken'));
    const [[broken = '', ...others]] = await send('broken');
    await requireSent(others);
    expect(await stage.find(broken)).toMatchObject({ state: 'running', place: 1 });
    expect(await effectsOf(broken)).toEqual(['test.effect.made', 'nothing', 'nothing']);
    meanwhile = () => Promise.resolve();
    await stage.hurry(stage.runner(), broken);
    await requireSent([broken]);
    expect(stage.reports.splice(0)).toHaveLength(1);
  });

  it('are each made alone where one of them was changed meanwhile', async () => {
    const tenantId = newId();
    meanwhile = async () => {
      const [row] = await stage.database.admin<{ id: string }>(
        `select id from sagas.sagas where tenant_id = $1 and input->>'fails' = 'cancelled' and not cancel_requested`,
        [tenantId],
      );
      if (row) await stage.steer(tenantId, row.id, 'cancel');
    };
    const [[cancelled = '', ...others]] = await send('cancelled', tenantId);
    await requireSent(others);
    expect(await stage.find(cancelled)).toMatchObject({ state: 'compensated', reason: 'sagas.cancelled' });
    expect(await effectsOf(cancelled)).toEqual([GONE, 'nothing', 'nothing']);
    expect(stage.reports.splice(0)).toEqual([]);
  });

  it('tell whose each is: who begins one, and what request it belongs to', async () => {
    const [runner, tenantId] = [stage.runner(), newId()];
    const callers = [await stage.database.part('ann', tenantId), await stage.database.part('bob', tenantId)];
    const ids = await Promise.all(
      callers.map((caller) => runner.beginFor(caller, parcel, { fails: 'never' })),
    );
    await Promise.all(ids.map((id) => runner.whenIdle(id)));
    for (const [at, { actor, requestId }] of callers.entries()) {
      const events = await stage.database.admin<{ type: string; actor: string; correlation_id: string }>(
        'select type, actor, correlation_id from events.log where tenant_id = $1 and correlation_id = $2 order by seq',
        [tenantId, requestId],
      );
      expect(events.map((event) => event.actor)).toEqual([actor, ...Array(7).fill('system:test')]);
      const begun = await stage.database.admin('select started_by from sagas.sagas where id = $1', [ids[at]]);
      expect(begun).toEqual([{ started_by: actor }]);
    }
  });

  it.each([
    { drilled: parcel, together: 2, fails: 'never' },
    { drilled: parcel, together: 2, fails: 'refused' },
    { drilled: weighed, fails: 'refused' },
  ] as const)(
    'are each whole or undone, once, whatever happens to the process at whichever transaction: steps of $drilled.name fail $fails',
    async ({ drilled, fails, together = 1 }) => {
      const ends = { completed: 0, compensated: 0, none: 0, needs_operator: 0 };
      const cases = await drillSaga({
        ...{ database: stage.database, saga: drilled },
        ...(together > 1 && { together }),
        arrange: () => Promise.resolve({ tenantId: newId(), input: { fails } }),
        check: async ({ id, state }) => {
          ends[state] += 1;
          const effects = await effectsOf(id, drilled);
          if (state === 'completed') expect(new Set(effects)).toEqual(new Set(['test.effect.made']));
          else {
            expect(['compensated', 'none']).toContain(state);
            for (const each of effects.slice(0, -1)) expect(['nothing', GONE]).toContain(each);
            expect(effects.at(-1)).toBe('nothing');
          }
        },
      });
      expect(ends[fails === 'never' ? 'completed' : 'compensated']).toBeGreaterThan((cases * together) / 2);
      process.stdout.write(`${cases} cases of ${together}: ${JSON.stringify(ends)}\n`);
    },
    120_000,
  );

  it('keep of their inputs what they say, where they end as they begin, and behind that', async () => {
    const tenantId = newId();
    const caller = callerOf(await stage.grants.forSystem('test', tenantId), { requestId: newId() });
    const runner = stage.runner();
    const ids = [
      await runner.beginFor(caller, gift, { to: 'Ada' }),
      await stage.begin(runner, tenantId, gift, { to: 'Bob' }),
    ];
    for (const id of ids) await stage.until(id, 'completed');
    const rows = await stage.database.admin<{ input: unknown }>(
      'select input from sagas.sagas where id = any ($1)',
      [ids],
    );
    expect(rows.map(({ input: kept }) => kept)).toEqual(ids.map(() => ({ to: 'forgotten' })));
  });
});
