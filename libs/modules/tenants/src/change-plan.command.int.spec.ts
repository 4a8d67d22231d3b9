import { PLANS } from '@holdfast/kernel';
import { TenantsApp } from '../test/tenants-app';
import { ChangePlan } from './change-plan.command';
import { OwnTenant } from './own-tenant.query';
import { QuotaUse } from './quota-use.query';

describe('ChangePlan', () => {
  let app: TenantsApp;

  beforeAll(async () => {
    app = await TenantsApp.start();
  });
  afterAll(() => app.close());

  it('puts the tenant on the plan, with its features and quotas', async () => {
    const caller = await app.tenant();
    expect(await app.do(new ChangePlan(caller, { plan: 'free' }))).toMatchObject({
      plan: 'free',
      version: '2',
    });
    expect(await app.ask(new OwnTenant(caller, {}))).toMatchObject({
      plan: { name: 'free', features: [], quotas: PLANS.free.quotas },
    });
    expect((await app.events(caller.tenantId)).at(-1)).toMatchObject({
      type: 'tenants.tenant.plan_changed',
      data: { plan: 'free' },
    });
  });

  it('counts what is used of the quotas', async () => {
    const caller = { ...(await app.tenant()), plan: 'free' };
    expect(await app.ask(new QuotaUse(caller, {}))).toContainEqual({
      quota: 'apiKeys',
      limit: PLANS.free.quotas.apiKeys,
      used: 0,
    });
  });

  it('announces nothing where the tenant is on the plan already', async () => {
    const caller = await app.tenant();
    await app.do(new ChangePlan(caller, { plan: 'standard' }));
    expect(await app.events(caller.tenantId)).toHaveLength(1);
  });
});
