import { type Caller, newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { IdentityModule } from '@holdfast/identity';
import { saga, SagaRunner } from '@holdfast/sagas';
import { Grants } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { z } from 'zod';
import { SagaById } from './sagas.query';
import { SteerSaga } from './steer-saga.command';
import { SteeringModule } from './steering.module';

const waiting = saga({ name: 'test.standing', input: z.strictObject({}) })
  .compensatable('hold', { run: () => Promise.resolve(), compensate: () => Promise.resolve() })
  .waitUntil('long', () => new Date(Date.now() + 86_400_000))
  .build();

describe('SteerSaga', () => {
  let database: TestDatabase;
  let app: INestApplicationContext;
  let grants: Grants;
  let runner: SagaRunner;
  let caller: Caller;
  let id: string;

  beforeAll(async () => {
    database = await TestDatabase.create();
    grants = new Grants(database.as('holdfast_auth'));
    const relay = database.as('holdfast_relay', 2);
    runner = new SagaRunner({ tenants: database.tenants(4), grants, relay, report: () => {} });
    const imports = [
      MessagesModule.forRoot(database.tenants()),
      IdentityModule.forRoot(grants),
      SteeringModule,
    ];
    app = await (await Test.createTestingModule({ imports }).compile()).init();
  });
  afterAll(async () => {
    await app.close();
    await runner.stop();
    grants.close();
    await database.drop();
  });
  beforeEach(async () => {
    caller = await database.caller();
    id = await database.tenants(1).transaction(caller, (tx) => runner.begin(tx, waiting, {}));
    await runner.whenIdle(id);
  });

  const steer = (steering: 'retry' | 'compensate' | 'cancel', of = id): Promise<unknown> =>
    app.get(CommandBus).execute(new SteerSaga(caller, { id: of, steering }));
  const stop = (): Promise<unknown> =>
    database.admin("update sagas.sagas set state = 'needs_operator', due_at = null where id = $1", [id]);

  it('has a saga that stands still go on once, though two ask for it', async () => {
    await stop();
    const outcomes = await Promise.allSettled([steer('retry'), steer('retry')]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const shown = await app.get(QueryBus).execute(new SagaById(caller, { id }));
    expect(shown).toMatchObject({ state: 'running', step: 'long' });
    expect(shown.timeline.map(({ what }) => what)).toEqual(['started', 'step_completed', 'retried']);
  });

  it('gives up one that stands still, and then compensates what it has done', async () => {
    await expect(steer('retry')).rejects.toMatchObject({ code: 'sagas.not_stopped' });
    await stop();
    expect(await steer('compensate')).toMatchObject({ state: 'running', cancelRequested: true });
    await runner.runDue();
    expect(await app.get(QueryBus).execute(new SagaById(caller, { id }))).toMatchObject({
      ...{ state: 'compensated', reason: 'sagas.cancelled' },
      steps: [{ state: 'compensated' }, { state: 'pending' }],
      timeline: [{}, {}, { what: 'retried', actor: caller.actor }, { what: 'cancel_requested' }, {}, {}, {}],
    });
  });

  it('gives up one that waits, once, however often it is asked', async () => {
    await steer('compensate');
    await steer('compensate');
    await steer('cancel');
    await runner.runDue();
    const shown = await app.get(QueryBus).execute(new SagaById(caller, { id }));
    expect(shown).toMatchObject({ state: 'compensated', reason: 'sagas.cancelled' });
    expect(shown.timeline.filter(({ what }) => what === 'cancel_requested')).toHaveLength(1);
  });

  it('knows no saga of another tenant', async () => {
    const { tenantId } = caller;
    caller = await database.caller(newId());
    expect(caller.tenantId).not.toBe(tenantId);
    await expect(steer('cancel')).rejects.toMatchObject({ code: 'resource.not_found' });
  });
});
