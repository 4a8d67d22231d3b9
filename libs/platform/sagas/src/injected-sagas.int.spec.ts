import { newId } from '@holdfast/kernel';
import { sqlState, statement } from '@holdfast/database';
import { eventType, type TenantDatabase } from '@holdfast/tenancy';
import { fixtureMade } from '@holdfast/testing';
import { z } from 'zod';
import { effect } from '../test/effects';
import { SagaStage } from '../test/saga-stage';
import { saga } from './saga';
import type { SagaRunner } from './saga-runner';
import { stepKey } from './saga-work';
import { steerSaga } from './steer-saga';

const given = eventType('test.word.given', {
  version: 1,
  description: 'Somebody has given the word.',
  schema: z.object({}),
  example: {},
});

const errand = saga({ name: 'test.errand', input: z.object({ word: z.string() }) })
  .compensatable('go', {
    run: (tx, { key }) => effect(tx, key, 'made'),
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .waitFor('word', { event: given, streamId: (ctx) => ctx.input.word, timeoutSeconds: 600 })
  .retriable('come', { run: (tx, { key }) => effect(tx, key, 'made') })
  .build();

/** An event of type `$5` and version `$6` on a stream of type `$3` and id `$4`. */
const APPEND = `select events.append(array[gen_random_uuid()], array[$5], array[1], array[$3], array[$4::uuid], array[$6::bigint],
  array['{}'::jsonb], array['none'], array[null::text], array[null::text]) where $1::uuid <> $2::uuid`;
const ofSaga = (set: string): string => `update sagas.sagas set ${set} where tenant_id = $1 and id = $2`;
const COPIED = ['name', 'hash', 'input', 'deadline_at', 'correlation_id', 'started_by'];
/** Begins one more, which is as that one was begun but for a column. */
const another = (column: string, value: string): string => {
  const columns = [...COPIED.filter((copied) => copied !== column), column];
  const values = [...columns.slice(0, -1), value];
  return `insert into sagas.sagas (tenant_id, id, ${columns.join()}) select tenant_id, gen_random_uuid(), ${values.join()}
    from sagas.sagas where tenant_id = $1 and id = $2`;
};

const abroad = saga({ name: 'test.errand_abroad', input: z.object({ other: z.string() }) })
  .compensatable('go', {
    tenant: ({ other }) => other,
    run: (tx, { key }) => effect(tx, key, 'made'),
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .waitUntil('long', () => new Date(Date.now() + 86_400_000))
  .build();

// Its row is at version 2: it has begun, and gone.
describe('A saga of a tenant into whose requests statements are injected', () => {
  let stage: SagaStage;
  let runner: SagaRunner;
  let tenants: TenantDatabase;
  let tenantId: string;
  let word: string;
  let id: string;
  beforeAll(async () => {
    stage = await SagaStage.open();
    runner = stage.runner();
    tenants = stage.database.tenants(1);
  });
  afterAll(() => stage.close());
  beforeEach(async () => {
    [tenantId, word] = [newId(), newId()];
    id = await stage.begin(runner, tenantId, errand, { word });
    await runner.whenIdle(id);
  });

  /** In a request of somebody in the tenant, who announces something. Answers what it is refused with. */
  async function inject(sql: string, ...values: readonly unknown[]): Promise<string | undefined> {
    const caller = await stage.database.part('ann', tenantId);
    const injected = tenants.transaction(caller, async (tx) => {
      await tx.announce(fixtureMade());
      await tx.execute(statement(`test.injected_${newId()}`, sql), [tx.tenantId, id, ...values]);
    });
    return injected.then(
      () => undefined,
      (error: unknown) => sqlState(error) ?? sqlState((error as Error).cause),
    );
  }

  /** What it waits for is its tenant's own to tell. */
  async function giveWord(): Promise<void> {
    expect(await inject(APPEND, given.streamType, word, given.type, 1)).toBeUndefined();
    await runner.runDue();
  }

  it.each([
    ['sagas.saga', 'sagas.saga.step_completed', 3],
    ['sagas.saga', 'sagas.saga.cancel_requested', 3],
    ['sagas.saga', 'sagas.saga.completed', 2],
    ['sagas.participation', 'sagas.participation.completed', 1],
  ])('is told of by its module alone: %s, %s, version %d', async (streamType, type, version) => {
    const stream = streamType === 'sagas.saga' ? id : stepKey(id, 'come');
    expect(await inject(APPEND, streamType, stream, type, version)).toBe('HF003');
    await giveWord();
    expect(await stage.find(id)).toMatchObject({ state: 'completed' });
  });

  it.each([
    ['HF030', ofSaga('cancel_requested = true, version = version + 1')],
    ['HF030', ofSaga('cancel_requested = true')],
    ['HF003', ofSaga('version = version + 1')],
    ['HF003', ofSaga('attempts = -2147483648')],
    ['HF003', ofSaga("step_deadline_at = 'infinity'")],
    ['HF003', ofSaga('awaits_type = null')],
    ['HF003', ofSaga("reason = 'none'")],
    ['42501', ofSaga("hash = ''")],
    ['42501', ofSaga("name = 'test.other'")],
    ['42501', ofSaga("deadline_at = 'infinity'")],
    ['42501', 'delete from sagas.sagas where tenant_id = $1 and id = $2'],
    ['42501', 'delete from sagas.participations where tenant_id = $1 and saga_id = $2'],
    ['HF030', another('place', '0')],
    ['HF003', another('place', '1')],
    ['HF003', another('attempts', '-1')],
    ['HF003', another('cancel_requested', 'true')],
    ['HF003', another('traceparent', "repeat('0', 256)")],
    // What operators see of the sagas of all tenants, and each worker holds.
    ['HF003', another('deadline_at', "'infinity'")],
    ['HF003', another('deadline_at', "'-infinity'")],
    ['HF003', another('deadline_at', "'294275-01-01'")],
    ['HF003', another('started_at', "'infinity'")],
    ['HF003', another('started_at', "now() - interval '1 year'")],
    ['HF003', another('due_at', "'-infinity'")],
    ['HF003', another('name', "'test.' || repeat('a', 51)")],
    ['HF003', another('name', "E'test.\\u001b[2J'")],
    ['HF003', another('hash', "repeat('0', 17)")],
    ['HF003', another('started_by', "repeat('0', 256)")],
    ['HF003', another('reason', "'none'")],
    ['HF003', another('last_error', "'none'")],
    ['HF003', another('awaits_type', "'none'")],
    ['HF003', another('input', "jsonb_build_object('word', repeat('x', 1048576))")],
    [
      'HF003',
      `select sagas.begin_all(tenant_id, array[gen_random_uuid()], array[name], array[hash], array[input], array[60], array[false],
         array['none'], array[null::text], array[null::text], array['running'], array[false], array[2], array['{}'::jsonb],
         array[null::text], array[2], array[60])
       from sagas.sagas where tenant_id = $1 and id = $2`,
    ],
  ])('goes on whatever is written: %s for %s', async (code, sql) => {
    expect(await inject(sql)).toBe(code);
    await giveWord();
    expect(await stage.find(id)).toMatchObject({ state: 'completed' });
  });

  it.each([
    ['has done', 1, ['made', 'participation.completed']],
    ['has given up', 0, ['participation.cancelled']],
  ])('does not take for its own what one of its id and another tenant %s', async (_, lanes, done) => {
    const [owner, other, own] = [newId(), newId(), newId()];
    const begin = async (of: string, by: SagaRunner): Promise<void> => {
      const caller = await stage.database.part('ann', of);
      await tenants.transaction(caller, (tx) => by.begin(tx, abroad, { other }, own));
      await by.whenIdle(own);
    };
    await begin(owner, stage.runner(lanes));
    if (lanes === 0) await stage.steer(owner, own, 'cancel');
    await runner.runDue();
    await begin(tenantId, runner);
    const told = async (): Promise<string[]> =>
      (await stage.trail(other)).map((what) => what.replace(/^test.effect.|^sagas.| go$/g, ''));
    expect(await told()).toEqual(done);
    const ended = 'select state, reason from sagas.sagas where tenant_id = $1 and id = $2';
    expect(await stage.database.admin(ended, [tenantId, own])).toEqual([
      { state: 'compensated', reason: 'sagas.participant_refused' },
    ]);
    if (lanes === 0) return;
    await stage.steer(owner, own, 'cancel');
    await runner.runDue();
    expect(await told()).toEqual([...done, 'undone', 'participation.compensated']);
  });

  it('is cancelled where what is written is what its tenant may ask for', async () => {
    const caller = await stage.database.part('ann', tenantId);
    await tenants.transaction(caller, (tx) => steerSaga(tx, id, 'cancel'));
    expect(await inject(ofSaga('cancel_requested = false'))).toBe('HF003');
    await runner.runDue();
    expect(await stage.find(id)).toMatchObject({ state: 'compensated' });
  });

  it.each([
    ['an event', 'retry', 'completed'],
    ['an event', 'compensate', 'compensated'],
    ['a row', 'retry', 'completed'],
    ['a row', 'cancel', 'compensated'],
  ] as const)('is freed where %s has got ahead: %s', async (what, steering, end) => {
    if (what === 'a row')
      await stage.database.admin('update sagas.sagas set version = version + 2 where id = $1', [id]);
    else
      await stage.database.admin(
        `insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor,
           correlation_id, occurred_at, data)
         select pg_current_xact_id(), $1, uuidv7(), 'sagas.saga', $2, 3, 'sagas.saga.cancel_requested', 1, 'nobody', 'none', now(), '{}'`,
        [tenantId, id],
      );
    await giveWord();
    expect(await stage.find(id)).toMatchObject({ state: 'running', place: 1 });
    expect(stage.reports.splice(0)).not.toEqual([]);
    await stage.steer(tenantId, id, steering);
    await runner.runDue();
    expect(await stage.find(id)).toMatchObject({ state: end });
    expect(stage.reports.splice(0)).toEqual([]);
  });
});
