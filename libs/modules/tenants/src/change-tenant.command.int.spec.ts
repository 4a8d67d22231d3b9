import { newId } from '@holdfast/kernel';
import { CreateApiKey, generateApiKey } from '@holdfast/identity';
import { TenantsApp } from '../test/tenants-app';
import { ChangeTenant } from './change-tenant.command';
import { OwnTenant } from './own-tenant.query';

describe('ChangeTenant', () => {
  let app: TenantsApp;

  beforeAll(async () => {
    app = await TenantsApp.start();
  });
  afterAll(() => app.close());

  it('changes what it names, keeps the rest, and announces settings but no name', async () => {
    const { tenantId } = await app.tenant();
    const caller = await app.database.caller(tenantId);
    const change = { name: 'Acme Ltd', settings: { timeZone: 'Europe/Berlin' }, version: '1' };
    const tenant = await app.do(new ChangeTenant(caller, change));
    expect(tenant).toMatchObject({
      name: 'Acme Ltd',
      settings: {
        supportAccessAllowed: true,
        apiKeyLifetimeDaysMax: null,
        memberActivityRecorded: true,
        timeZone: 'Europe/Berlin',
      },
      version: '2',
    });
    expect(await app.ask(new OwnTenant(caller, {}))).toEqual(tenant);
    expect((await app.events(tenantId)).at(-1)).toEqual({
      type: 'tenants.tenant.changed',
      version: 2,
      data: { isRenamed: true, settings: { timeZone: 'Europe/Berlin' } },
    });
  });

  it('is refused for a version that is no more, so that of two changes one wins', async () => {
    const caller = await app.tenant();
    const changes = ['one', 'two'].map((name) => app.do(new ChangeTenant(caller, { name, version: '1' })));
    const outcomes = await Promise.allSettled(changes);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'resource.version_mismatch' },
    });
  });

  it('limits the life of keys from then on', async () => {
    const caller = await app.tenant();
    await app.do(new ChangeTenant(caller, { settings: { apiKeyLifetimeDaysMax: 7 }, version: '1' }));
    const make = (days: number | null) => {
      const expiresAt = days === null ? null : new Date(Date.now() + days * 86_400_000 - 5_000).toISOString();
      const input = { name: newId(), scopes: ['*' as const], expiresAt };
      return app.do(new CreateApiKey(caller, input, generateApiKey('live')));
    };
    for (const days of [null, 8])
      await expect(make(days)).rejects.toMatchObject({ code: 'identity.key_lifetime_too_long' });
    expect(await make(7)).toMatchObject({ revokedAt: null });
  });
});
