import { createHash, randomBytes } from 'node:crypto';
import { type Caller, newId } from '@holdfast/kernel';
import { type Statement, statement } from '@holdfast/database';
import { fixtureMade, TestDatabase } from '@holdfast/testing';
import { announcement } from './announcement';
import { eventType } from './event-types';
import { callerOf } from './grant';
import { Grants } from './grants';
import { TenantClosed, TenantSuspended } from './tenancy.errors';
import { z } from 'zod';

const STORE = statement('test.store_key', 'select auth.store_credential($1, $2, $3, null)');
const SET_TENANT = statement('test.set_tenant', 'select auth.set_tenant($1, $2)');
const READ = statement<{ act: string | null }>('test.read_act', 'select tenancy.act() as act');
const LOGGED = statement<{ actor: string; act: string | null }>(
  'test.read_actors',
  'select actor, act from events.log where tenant_id = $1 order by seq limit 10',
);

const dusted = eventType('test.shelf.dusted', {
  version: 1,
  description: 'Dusted.',
  schema: z.object({}),
  example: {},
});

/** Promises 1 and 4: a credential opens what its tenant's state lets it, and both who acted and for whom are recorded. */
describe('The state of a tenant', () => {
  let database: TestDatabase;
  let grants: Grants;

  beforeAll(async () => {
    database = await TestDatabase.create();
  });
  beforeEach(() => {
    // A process that has cached nothing; how soon others forget is the business of `Grants`.
    grants = new Grants(database.as('holdfast_auth', 1));
  });
  afterAll(() => database.drop());

  const systemCaller = async (consumer: string, tenantId: string, act = ''): Promise<Caller> =>
    callerOf(await grants.forSystem(consumer, tenantId, '', act), { requestId: 'r' });

  /** Who opens or shuts a door tells of it. */
  const announced = (caller: Caller, change: Statement, values: readonly unknown[]): Promise<void> =>
    database.tenants(1).transaction(caller, async (tx) => {
      await tx.rows(change, values);
      await tx.announce(fixtureMade());
    });

  const keyOf = async (tenantId: string, scopes = ['*']): Promise<string> => {
    const secret = randomBytes(24).toString('hex');
    const hash = createHash('sha256').update(secret).digest();
    const caller = await database.caller(tenantId);
    await announced(caller, STORE, [newId(), hash, scopes]);
    return secret;
  };

  const set = async (tenantId: string, state: string | null, plan: string | null = null): Promise<void> => {
    const caller = await systemCaller('operator', tenantId, 'operator:ann');
    await announced(caller, SET_TENANT, [state, plan]);
    grants = new Grants(database.as('holdfast_auth', 1));
  };

  it.each(['suspended', 'closing'])('%s refuses its keys and lets consumers go on', async (state) => {
    const tenantId = newId();
    const secret = await keyOf(tenantId);
    await set(tenantId, state);
    await expect(grants.forKey(secret)).rejects.toBeInstanceOf(TenantSuspended);
    expect(await grants.forKey(`${secret}x`)).toBeUndefined();
    expect(await grants.forSystem('usage', tenantId)).toMatchObject({ tenantId });
    const settling = { tenantId, scopes: ['ledger:settle'] };
    expect(await grants.forKey(secret, 'settling')).toMatchObject(settling);
    expect(await grants.forKey(`${secret}x`, 'settling')).toBeUndefined();
    await set(tenantId, 'active');
    expect(await grants.forKey(secret, 'settling')).toMatchObject(settling);
    expect(await grants.forKey(secret)).toMatchObject({ tenantId });
  });

  it('lets no key end holds that may not post', async () => {
    const tenantId = newId();
    const secret = await keyOf(tenantId, ['ledger:read']);
    expect(await grants.forKey(secret, 'settling')).toMatchObject({ scopes: [] });
    await set(tenantId, 'suspended');
    await expect(grants.forKey(secret, 'settling')).rejects.toBeInstanceOf(TenantSuspended);
  });

  it.each(['erasing', 'erased'])('%s refuses everybody but the eraser', async (state) => {
    const tenantId = newId();
    const secret = await keyOf(tenantId);
    await set(tenantId, state);
    await expect(grants.forKey(secret)).rejects.toBeInstanceOf(TenantClosed);
    await expect(grants.forKey(secret, 'settling')).rejects.toBeInstanceOf(TenantClosed);
    await expect(grants.forSystem('operator', tenantId)).rejects.toBeInstanceOf(TenantClosed);
    expect(await grants.forSystem('eraser', tenantId)).toMatchObject({ actor: 'system:eraser' });
  });

  it('is not for the tenant itself to set', async () => {
    const caller = await database.caller();
    const setting = database.tenants(1).transaction(caller, (tx) => tx.rows(SET_TENANT, ['active', null]));
    await expect(setting).rejects.toMatchObject({ code: 'HF003' });
  });

  it('puts its plan into every grant', async () => {
    const tenantId = newId();
    expect(await grants.forSystem('test', tenantId)).toMatchObject({ plan: 'standard' });
    await set(tenantId, null, 'free');
    const caller = await systemCaller('test', tenantId, 'operator:ann');
    expect(caller).toMatchObject({ plan: 'free', act: 'operator:ann' });
    expect(await database.tenants(1).rows(caller, READ, [])).toEqual([{ act: 'operator:ann' }]);
  });

  it('leaves the actor and the operator who acted on each event', async () => {
    const tenantId = newId();
    for (const [version, act] of [
      [1n, ''],
      [2n, 'operator:ann'],
    ] as const) {
      const caller = await systemCaller('test', tenantId, act);
      await database
        .tenants(1)
        .transaction(caller, (tx) => tx.announce(announcement(dusted, { id: tenantId, version }, {})));
    }
    const reader = await systemCaller('test', tenantId);
    expect(await database.tenants(1).rows(reader, LOGGED, [tenantId])).toEqual([
      { actor: 'system:test', act: null },
      { actor: 'system:test', act: 'operator:ann' },
    ]);
  });
});
