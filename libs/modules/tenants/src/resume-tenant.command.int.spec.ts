import { TenantsApp } from '../test/tenants-app';
import { ResumeTenant } from './resume-tenant.command';
import { SuspendTenant } from './suspend-tenant.command';

describe('ResumeTenant', () => {
  let app: TenantsApp;

  beforeAll(async () => {
    app = await TenantsApp.start();
  });
  afterAll(() => app.close());

  it('opens a suspended tenant again and forgets the reason', async () => {
    const caller = await app.tenant();
    await app.do(new SuspendTenant(caller, { reason: 'unpaid' }));
    const tenant = await app.do(new ResumeTenant(caller, {}));
    expect(tenant).toMatchObject({ state: 'active', reason: null, version: '3' });
    expect((await app.events(caller.tenantId)).at(-1)).toEqual({
      type: 'tenants.tenant.resumed',
      version: 3,
      data: {},
    });
  });

  it('is refused where nothing was suspended', async () => {
    const caller = await app.tenant();
    await expect(app.do(new ResumeTenant(caller, {}))).rejects.toMatchObject({ code: 'tenants.wrong_state' });
  });
});
