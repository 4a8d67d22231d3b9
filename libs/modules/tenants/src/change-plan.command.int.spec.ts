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

  it('counts what is used of every quota that counts something', async () => {
    const caller = { ...(await app.tenant()), plan: 'free' };
    const { members, apiKeys, customRoles, issuers, exportsPerDay, webhooks, writeKeys } = PLANS.free.quotas;
    const limits = { members, apiKeys, customRoles, issuers, exportsPerDay, webhooks, writeKeys };
    expect(await app.ask(new QuotaUse(caller, {}))).toEqual(
      Object.entries(limits).map(([quota, limit]) => ({ quota, limit, used: 0 })),
    );
  });

  it('counts write keys as making one does: a revoked one for a day', async () => {
    const caller = { ...(await app.tenant()), plan: 'free' };
    const made = await app.database.admin<{ readonly id: string }>(
      `insert into telemetry.write_keys (tenant_id, id, name, created_by, revoked_at)
       select $1, gen_random_uuid(), 'key', 'member:x', clock_timestamp() - make_interval(hours => hours)
       from unnest(array[null, 1, 25]) as hours
       returning id`,
      [caller.tenantId],
    );
    expect(made).toHaveLength(3);
    expect(await app.ask(new QuotaUse(caller, {}))).toContainEqual({
      quota: 'writeKeys',
      limit: PLANS.free.quotas.writeKeys,
      used: 2,
    });
  });

  it('announces nothing where the tenant is on the plan already', async () => {
    const caller = await app.tenant();
    await app.do(new ChangePlan(caller, { plan: 'standard' }));
    expect(await app.events(caller.tenantId)).toHaveLength(1);
  });
});
