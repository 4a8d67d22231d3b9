import { type Caller, newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { callerOf, Grants } from '@holdfast/tenancy';
import { fiveSecondsOn, TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { generateApiKey } from '../api-key';
import { IdentityModule } from '../identity.module';
import { EndSupportAccess } from './end-support-access.command';
import { StartSupportAccess } from './start-support-access.command';
import { SupportAccessById } from './support-access.query';

describe('EndSupportAccess', () => {
  let database: TestDatabase;
  let app: INestApplicationContext;
  let grants: Grants;
  let tenant: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    grants = new Grants(database.as('holdfast_auth'));
    const imports = [MessagesModule.forRoot(database.tenants()), IdentityModule.forRoot(grants)];
    app = await (await Test.createTestingModule({ imports }).compile()).init();
  });
  beforeEach(async () => {
    tenant = await database.caller();
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  const start = async () => {
    const grant = await grants.forSystem('operator', tenant.tenantId, '', 'operator:alice');
    const secret = generateApiKey('live');
    const input = { reason: 'Ticket 4711: a transfer is missing', minutes: 30 };
    const operator = callerOf(grant, { requestId: newId() });
    const { id } = await app.get(CommandBus).execute(new StartSupportAccess(operator, input, secret));
    return { id, secret: secret.text };
  };

  it('is noticed by every process within five seconds, and announced once', async () => {
    const { id, secret } = await start();
    const elsewhere = new Grants(database.as('holdfast_auth'));
    expect(await elsewhere.forKey(secret)).toBeDefined();
    await app.get(CommandBus).execute(new EndSupportAccess(tenant, { id }));
    expect(await fiveSecondsOn(() => elsewhere.forKey(secret))).toBeUndefined();
    await app.get(CommandBus).execute(new EndSupportAccess(tenant, { id }));
    const types = await database.admin('select type from events.log where stream_id = $1 order by seq', [id]);
    expect(types).toEqual([
      { type: 'identity.support_access.started' },
      { type: 'identity.support_access.ended' },
    ]);
    const seen = await app.get(QueryBus).execute(new SupportAccessById(tenant, { id }));
    expect(seen.endedBy).toBe(tenant.actor);
  });

  it('answers for the access of another tenant as for one that never was', async () => {
    const { id, secret } = await start();
    const stranger = await database.caller();
    await expect(app.get(CommandBus).execute(new EndSupportAccess(stranger, { id }))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
    expect(await new Grants(database.as('holdfast_auth', 1)).forKey(secret)).toBeDefined();
  });
});
