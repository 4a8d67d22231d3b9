import { TenantsApp } from '../../test/tenants-app';
import { ResumeTenant } from '../resume-tenant.command';
import { TenantDirectory } from '../tenant-directory.query';
import { OrderErasure } from './order-erasure.command';

const DAY_MS = 86_400_000;

describe('OrderErasure', () => {
  let app: TenantsApp;

  beforeAll(async () => {
    app = await TenantsApp.start();
  });
  afterAll(() => app.close());

  const tasksOf = (tenantId: string) =>
    app.database.admin<{ kind: string; due_at: Date }>(
      'select kind, due_at from tenants.tasks where tenant_id = $1',
      [tenantId],
    );

  it('closes the tenant and leaves the work for the day when the grace is over', async () => {
    const caller = await app.tenant('closing-down');
    const tenant = await app.do(new OrderErasure(caller, { graceDays: 30, confirmSlug: 'closing-down' }));
    expect(tenant).toMatchObject({ state: 'closing', erasure: { postponed: null } });
    const dueAtMs = Date.parse(tenant.erasure?.dueAt ?? '');
    expect(Math.abs(dueAtMs - Date.now() - 30 * DAY_MS)).toBeLessThan(60_000);
    expect(await tasksOf(caller.tenantId)).toEqual([{ kind: 'erasure', due_at: new Date(dueAtMs) }]);
    expect(await app.get(TenantDirectory).get(caller.tenantId)).toEqual(tenant);
    expect((await app.events(caller.tenantId)).at(-1)).toEqual({
      type: 'tenants.tenant.erasure_requested',
      version: 2,
      data: { dueAt: tenant.erasure?.dueAt },
    });
  });

  it('is taken back by resuming', async () => {
    const caller = await app.tenant('back-again');
    await app.do(new OrderErasure(caller, { graceDays: 1, confirmSlug: 'back-again' }));
    expect(await app.do(new ResumeTenant(caller, {}))).toMatchObject({ state: 'active', erasure: null });
    expect(await tasksOf(caller.tenantId)).toEqual([]);
  });

  it('is refused for another slug, and a second time', async () => {
    const caller = await app.tenant('this-one');
    const order = (confirmSlug: string) => app.do(new OrderErasure(caller, { graceDays: 0, confirmSlug }));
    await expect(order('that-one')).rejects.toMatchObject({ code: 'tenants.slug_not_confirmed' });
    await order('this-one');
    await expect(order('this-one')).rejects.toMatchObject({ code: 'tenants.wrong_state' });
  });
});
