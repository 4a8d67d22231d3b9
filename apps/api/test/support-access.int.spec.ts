import { TestApi } from './test-api';

const REASON = 'Ticket 4711: a transfer is missing';

describe('Support access over HTTP', () => {
  let api: TestApi;
  let tenant: { readonly id: string; readonly key: string };

  beforeAll(async () => {
    api = await TestApi.start();
  });
  beforeEach(async () => {
    tenant = await api.tenant();
  });
  afterAll(() => api.close());

  const urlOf = (tenantId: string): string => `/v1/operator/tenants/${tenantId}/support-access`;

  it('lets the operator in as somebody, and both names stand in the trail and the log', async () => {
    const { id, secret } = await api.supportAccess(tenant.id, REASON, { scopes: ['ledger:write'] });
    await api.account(String(secret), 'cash');
    const names = { actor: `support:${String(id)}`, act: 'operator:operator' };
    expect(JSON.parse(api.logged.at(-1) ?? '')).toMatchObject({ ...names, tenantId: tenant.id, status: 201 });
    const trail = await api.ask('GET', '/v1/audit/events?type=ledger.account.opened', { key: tenant.key });
    expect(trail.body).toMatchObject({ data: [names] });
    expect(await api.ask('GET', '/v1/ledger/accounts', { key: String(secret) })).toMatchObject({
      status: 403,
    });
  });

  it('is shown to the tenant, which ends it; the operator lists and ends it too', async () => {
    const [first, second] = [
      await api.supportAccess(tenant.id, REASON),
      await api.supportAccess(tenant.id, REASON),
    ];
    const seen = await api.ask('GET', '/v1/support-accesses', { key: tenant.key });
    expect(seen.body).toMatchObject({ data: [{ id: second['id'], reason: REASON }, { id: first['id'] }] });
    const mutation = 'mutation ($id: ID!) { endSupportAccess(id: $id) }';
    expect((await api.graphql(tenant.key, mutation, { id: first['id'] })).body).toEqual({
      data: { endSupportAccess: first['id'] },
    });
    const end = `${urlOf(tenant.id)}/${String(second['id'])}`;
    expect(await api.operator('DELETE', end)).toMatchObject({ status: 204 });
    const listed = await api.operator('GET', urlOf(tenant.id));
    expect(listed.body).toMatchObject({
      data: [
        { id: second['id'], endedBy: 'operator:operator' },
        { id: first['id'], endedBy: expect.stringMatching(/^api_key:/) as string },
      ],
    });
  });

  it('is not reached through another tenant', async () => {
    const { id } = await api.supportAccess(tenant.id, REASON);
    const other = await api.tenant();
    const url = `/v1/support-accesses/${String(id)}`;
    for (const method of ['GET', 'DELETE'] as const) {
      expect(await api.ask(method, url, { key: other.key })).toMatchObject({ status: 404 });
    }
    expect(await api.operator('DELETE', `${urlOf(other.id)}/${String(id)}`)).toMatchObject({ status: 404 });
    expect((await api.ask('GET', url, { key: tenant.key })).body).toMatchObject({ endedAt: null });
  });

  it('is not had where the tenant allows none', async () => {
    const { headers } = await api.ask('GET', '/v1/tenant', { key: tenant.key });
    const changed = await api.ask('PATCH', '/v1/tenant', {
      key: tenant.key,
      headers: { 'if-match': String(headers['etag']), 'idempotency-key': 'allow none' },
      body: { settings: { supportAccessAllowed: false } },
    });
    expect(changed).toMatchObject({ status: 200 });
    const key = { name: 'another', scopes: ['*'], reason: REASON };
    for (const [url, body] of [
      [urlOf(tenant.id), { reason: REASON }],
      [`/v1/operator/tenants/${tenant.id}/api-keys`, key],
    ] as const) {
      expect(await api.operator('POST', url, { body })).toMatchObject({
        status: 403,
        body: { code: 'identity.support_not_allowed' },
      });
    }
  });

  it('shows its secret once', async () => {
    const asked = { body: { reason: REASON }, idempotencyKey: 'once' };
    const first = await api.operator('POST', urlOf(tenant.id), asked);
    const replayed = await api.operator('POST', urlOf(tenant.id), asked);
    expect(replayed).toMatchObject({ status: 201, body: { ...first.body, secret: null } });
  });

  it.each([
    [{}, 'reason'],
    [{ reason: 'short' }, 'reason'],
    [{ reason: REASON, minutes: 31 }, 'minutes'],
    [{ reason: REASON, scopes: ['*'] }, 'scopes'],
    [{ reason: REASON, scopes: ['keys:write'] }, 'scopes'],
  ])('refuses %j', async (body, field) => {
    const refused = await api.operator('POST', urlOf(tenant.id), { body });
    expect(refused).toMatchObject({ status: 422, body: { code: 'request.invalid' } });
    expect(refused.text).toContain(`"pointer":"/${field}`);
  });

  it('knows no tenant that is not there', async () => {
    const nobody = urlOf('01900000-0000-7000-8000-000000000000');
    expect(await api.operator('POST', nobody, { body: { reason: REASON } })).toMatchObject({ status: 404 });
  });
});
