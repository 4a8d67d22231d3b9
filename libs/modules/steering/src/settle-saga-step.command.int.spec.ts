import { newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { IdentityModule } from '@holdfast/identity';
import { saga, SagaRunner } from '@holdfast/sagas';
import { callerOf, Grants } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { z } from 'zod';
import { settleInput, SettleSagaStep } from './settle-saga-step.command';
import { SteeringModule } from './steering.module';

const unanswered = saga({ name: 'test.unanswered', input: z.strictObject({}) })
  .pivot('pay', { call: () => Promise.reject(new TypeError('404')), attemptsMax: 1 })
  .build();

describe('SettleSagaStep', () => {
  let database: TestDatabase;
  let grants: Grants;
  let runner: SagaRunner;
  let app: INestApplicationContext;
  beforeAll(async () => {
    database = await TestDatabase.create();
    grants = new Grants(database.as('holdfast_auth'));
    runner = new SagaRunner({ tenants: database.tenants(2), grants, report: () => {} });
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

  it('ends a saga whose last step was done, in the name of its module, and not of the tenant', async () => {
    const tenantId = newId();
    const callerAs = async (consumer: string) =>
      callerOf(await grants.forSystem(consumer, tenantId, '', 'operator:ann'), { requestId: newId() });
    const id = await runner.beginFor(await callerAs('test'), unanswered, {});
    await runner.whenIdle(id);
    const input = { id, as: 'done', ticket: 'OPS-4711' } as const;
    const settle = async (consumer: string): Promise<unknown> =>
      app.get(CommandBus).execute(new SettleSagaStep(await callerAs(consumer), input));
    await expect(settle('operator')).rejects.toMatchObject({ code: 'HF003' });
    expect(await settle('test')).toMatchObject({ id, state: 'completed' });
  });

  it.each(['', 'Ms Miller has said so', 'x'.repeat(101)])('takes no text for a ticket: %p', (ticket) => {
    expect(settleInput.safeParse({ as: 'done', ticket }).success).toBe(false);
  });
});
