import { Grants, TenantSuspended } from '@holdfast/tenancy';
import { createHash, randomBytes } from 'node:crypto';
import { newId } from '@holdfast/kernel';
import { CreateApiKey, generateApiKey } from '@holdfast/identity';
import { fiveSecondsOn } from '@holdfast/testing';
import { TenantsApp } from '../test/tenants-app';
import { SuspendTenant } from './suspend-tenant.command';
import { TenantDirectory } from './tenant-directory.query';

describe('SuspendTenant', () => {
  let app: TenantsApp;

  beforeAll(async () => {
    app = await TenantsApp.start();
  });
  afterAll(() => app.close());

  it('closes the tenant to its keys on every process within five seconds, and to nothing else', async () => {
    const caller = await app.tenant();
    const secret = generateApiKey('live');
    await app.do(new CreateApiKey(caller, { name: 'k', scopes: ['*'] }, secret));
    // Two processes: one that has the key's grant in its cache, one that has never seen the key.
    const [warm, cold] = [
      new Grants(app.database.as('holdfast_auth', 1)),
      new Grants(app.database.as('holdfast_auth', 1)),
    ];
    await warm.forKey(secret.text);
    await app.do(new SuspendTenant(caller, { reason: 'unpaid' }));
    await expect(cold.forKey(secret.text)).rejects.toBeInstanceOf(TenantSuspended);
    await expect(fiveSecondsOn(() => warm.forKey(secret.text))).rejects.toBeInstanceOf(TenantSuspended);
    expect(await cold.forSystem('usage', caller.tenantId)).toMatchObject({ tenantId: caller.tenantId });
  });

  it('shows the reason to the operator and announces none', async () => {
    const caller = await app.tenant();
    const tenant = await app.do(new SuspendTenant(caller, { reason: 'unpaid since August' }));
    expect(tenant).toMatchObject({ state: 'suspended', reason: 'unpaid since August', version: '2' });
    expect(await app.get(TenantDirectory).get(caller.tenantId)).toEqual(tenant);
    expect((await app.events(caller.tenantId)).slice(1)).toEqual([
      { type: 'tenants.tenant.suspended', version: 2, data: {} },
    ]);
  });

  it('is refused where the tenant is suspended already, by whoever was second', async () => {
    const caller = await app.tenant();
    const both = [1, 2].map(() => app.do(new SuspendTenant(caller, { reason: 'twice' })));
    const outcomes = await Promise.allSettled(both);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'tenants.wrong_state' },
    });
  });

  it('is the operator’s alone', async () => {
    const caller = { ...(await app.tenant()), scopes: ['tenant:write'] };
    await expect(app.do(new SuspendTenant(caller, { reason: 'mine' }))).rejects.toMatchObject({
      code: 'auth.forbidden',
    });
  });

  it('is refused by the database to a credential of the tenant, whatever the bus lets through', async () => {
    const { tenantId } = await app.tenant();
    const own = await app.database.caller(tenantId);
    await expect(app.do(new SuspendTenant(own, { reason: 'mine' }))).rejects.toMatchObject({ code: 'HF003' });
    expect(await app.get(TenantDirectory).get(tenantId)).toMatchObject({ state: 'active' });
  });

  it('tells a key that is unknown nothing about any tenant', async () => {
    const grants = new Grants(app.database.as('holdfast_auth', 1));
    expect(await grants.forKey(createHash('sha256').update(randomBytes(8)).digest('hex'))).toBeUndefined();
    await expect(app.get(TenantDirectory).get(newId())).rejects.toMatchObject({ code: 'resource.not_found' });
  });
});
