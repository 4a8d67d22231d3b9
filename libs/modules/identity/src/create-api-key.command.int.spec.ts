import type { Caller } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { callerOf, Grants } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { generateApiKey } from './api-key';
import { ApiKeyById } from './api-key.query';
import { ApiKeys } from './api-keys.query';
import { CreateApiKey } from './create-api-key.command';
import { ScopeNotHeld } from './identity.errors';
import { IdentityModule } from './identity.module';
import { RevokeApiKey } from './revoke-api-key.command';

describe('CreateApiKey', () => {
  let database: TestDatabase;
  let app: INestApplicationContext;
  let grants: Grants;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    grants = new Grants(database.as('holdfast_auth'));
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

  const create = (scopes: CreateApiKey['input']['scopes'], by = caller, secret = generateApiKey('live')) =>
    app
      .get(CommandBus)
      .execute(new CreateApiKey(by, { name: 'test', scopes }, secret, { key: 'k', replayed: false }));

  it('makes a key that is exchanged for a grant of its tenant with its scopes', async () => {
    const secret = generateApiKey('live');
    const key = await create(['ledger:read'], caller, secret);
    const grant = await grants.forKey(secret.text);
    expect(grant).toMatchObject({
      tenantId: caller.tenantId,
      actor: `api_key:${key.id}`,
      scopes: ['ledger:read'],
    });
  });

  it('announces the key without its name or secret', async () => {
    const key = await create(['ledger:read']);
    const [event] = await database.admin<{ type: string; actor: string; data: object }>(
      'select type, actor, data from events.log where tenant_id = $1 and stream_id = $2',
      [caller.tenantId, key.id],
    );
    expect(event).toEqual({
      type: 'identity.api_key.created',
      actor: caller.actor,
      data: { prefix: key.prefix, scopes: ['ledger:read'], expiresAt: null },
    });
  });

  it('never stores the secret', async () => {
    const secret = generateApiKey('live');
    await create(['ledger:read'], caller, secret);
    const tables = await database.admin<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
    );
    for (const { name } of tables) {
      const found = await database.admin(`select 1 from ${name} t where t::text like '%' || $1 || '%'`, [
        secret.text.slice(12),
      ]);
      expect([name, found]).toEqual([name, []]);
    }
  });

  it('does not let a key hand on what it does not hold', async () => {
    const secret = generateApiKey('live');
    await create(['keys:write', 'ledger:read'], caller, secret);
    const grant = await grants.forKey(secret.text);
    if (!grant) throw new Error('the key was not accepted');
    const lesser = callerOf(grant, { requestId: 'r' });
    await expect(create(['ledger:write'], lesser)).rejects.toBeInstanceOf(ScopeNotHeld);
    await expect(create(['*'], lesser)).rejects.toMatchObject({ code: 'idempotency.key_reused' });
    const keys = await app.get(QueryBus).execute(new ApiKeys(caller, { limit: 10 }));
    expect(keys.data).toHaveLength(1);
  });

  describe('for the operator', () => {
    let operator: Caller;
    const make = async (more: Partial<CreateApiKey['input']> = {}, by = operator) => {
      const secret = generateApiKey('live');
      const input = { name: 'test', scopes: ['*' as const], ...more };
      const { id, expiresAt } = await app.get(CommandBus).execute(new CreateApiKey(by, input, secret));
      const grant = await grants.forKey(secret.text);
      if (!grant) throw new Error('the key was not accepted');
      return { id, expiresAt, key: callerOf(grant, { requestId: 'r' }) };
    };
    const reason = 'Ticket 4711: every key is lost';

    beforeEach(async () => {
      const grant = await grants.forSystem('operator', caller.tenantId, '', 'operator:alice');
      operator = callerOf(grant, { requestId: 'r' });
    });

    it('is the tenant’s own at first, and wants a reason from then on, for the tenant alone', async () => {
      const both = await Promise.allSettled([make(), make()]);
      const [first] = both.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      const [refusal] = both.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
      expect(refusal).toMatchObject({ code: 'identity.reason_required', kind: 'refused' });
      expect(first).toMatchObject({ expiresAt: null, key: { actor: `api_key:${first?.id}` } });
      expect(first?.key.act).toBeUndefined();
      await app.get(CommandBus).execute(new RevokeApiKey(caller, { id: first!.id }));
      await expect(make()).rejects.toMatchObject({ code: 'identity.reason_required' });
      const { id } = await make({ reason });
      expect(await app.get(QueryBus).execute(new ApiKeyById(caller, { id }))).toMatchObject({ reason });
      const told = await database.admin(
        'select 1 from events.log l where tenant_id = $1 and to_jsonb(l)::text like $2',
        [caller.tenantId, `%${reason}%`],
      );
      expect(told).toEqual([]);
    });

    it('names them beside all that is done with it, and with the keys that it makes, and ends in 30 days', async () => {
      await make();
      const taken = await make({ reason });
      expect(taken.key.act).toBe('operator:alice');
      expect(Date.parse(taken.expiresAt ?? '') - Date.now()).toBeLessThanOrEqual(30 * 86_400_000);
      const expiresAt = new Date(Date.now() + 32 * 86_400_000).toISOString();
      await expect(make({ reason, expiresAt })).rejects.toMatchObject({
        code: 'identity.key_lifetime_too_long',
      });
      expect((await make({}, taken.key)).key.act).toBe('operator:alice');
      expect((await make({}, caller)).key.act).toBeUndefined();
    });
  });

  it('needs the scope', async () => {
    await expect(create(['ledger:read'], { ...caller, scopes: ['ledger:read'] })).rejects.toMatchObject({
      code: 'auth.forbidden',
    });
  });
});
