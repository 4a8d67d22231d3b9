import { newId } from '@holdfast/kernel';
import { Grants } from '@holdfast/tenancy';
import { findOpenViews, findUnboundReads, statementSources } from './isolation/other-stores';
import { deliverEvents } from './tenancy/stored';
import { TestApi } from './test-api';

// Guards isolation rule 23: what stands beside PostgreSQL knows the same tenant. Queue payloads hold ids only by their type.
describe('A store beside PostgreSQL', () => {
  let api: TestApi;
  beforeAll(async () => void (api = await TestApi.start()));
  afterAll(() => api.close());

  it('of telemetry has no view that answers without a tenant', async () => {
    await deliverEvents(api, (await api.tenant()).id, 'test.thing');
    expect(await findOpenViews(api.telemetry)).toEqual([]);
  });

  it('of telemetry is read through those views only', () => {
    const sources = statementSources();
    expect(sources.some(([, text]) => text.includes('telemetry.tenant_events'))).toBe(true);
    expect(findUnboundReads(sources)).toEqual([]);
  });

  it('of grants answers for the tenant that was asked about', async () => {
    const grants = new Grants(api.database.as('holdfast_auth'));
    const tenants = [newId(), newId()];
    for (const tenantId of [...tenants, ...tenants]) {
      expect(await grants.forSystem('test', tenantId)).toMatchObject({ tenantId });
    }
  });
});
