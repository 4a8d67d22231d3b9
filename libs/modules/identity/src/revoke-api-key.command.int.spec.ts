import type { Caller } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { Grants } from '@holdfast/tenancy';
import { fiveSecondsOn, TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { generateApiKey } from './api-key';
import { CreateApiKey } from './create-api-key.command';
import { IdentityModule } from './identity.module';
import { RevokeApiKey } from './revoke-api-key.command';

describe('RevokeApiKey', () => {
  let database: TestDatabase;
  let app: INestApplicationContext;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    const grants = new Grants(database.as('holdfast_auth'));
    const imports = [MessagesModule.forRoot(database.tenants()), IdentityModule.forRoot(grants, undefined)];
    app = await (await Test.createTestingModule({ imports }).compile()).init();
  });
  beforeEach(async () => {
    caller = await database.caller();
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  const create = async (): Promise<{ id: string; secret: string }> => {
    const secret = generateApiKey('live');
    const { id } = await app
      .get(CommandBus)
      .execute(new CreateApiKey(caller, { name: 'test', scopes: ['*'] }, secret));
    return { id, secret: secret.text };
  };
  const revoke = (id: string, by = caller): Promise<unknown> =>
    app.get(CommandBus).execute(new RevokeApiKey(by, { id }));

  it('is noticed within five seconds by a process that has the key in its cache', async () => {
    const { id, secret } = await create();
    const elsewhere = new Grants(database.as('holdfast_auth'));
    expect(await elsewhere.forKey(secret)).toBeDefined();
    await revoke(id);
    expect(await fiveSecondsOn(() => elsewhere.forKey(secret))).toBeUndefined();
  });

  it('is announced once, however often it is asked for', async () => {
    const { id } = await create();
    await revoke(id);
    await revoke(id);
    const events = await database.admin<{ type: string }>(
      'select type from events.log where stream_id = $1 order by seq',
      [id],
    );
    expect(events).toEqual([{ type: 'identity.api_key.created' }, { type: 'identity.api_key.revoked' }]);
  });

  it('answers for the key of another tenant as for one that never was', async () => {
    const { id, secret } = await create();
    const stranger = await database.caller();
    await expect(revoke(id, stranger)).rejects.toMatchObject({ code: 'resource.not_found' });
    expect(await new Grants(database.as('holdfast_auth')).forKey(secret)).toBeDefined();
  });
});
