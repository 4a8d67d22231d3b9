import { setTimeout as sleep } from 'node:timers/promises';
import { RequestOrigins } from '@holdfast/audit';
import { CredentialUses } from '@holdfast/identity';
import { TestApi } from './test-api';

interface Refused {
  readonly actor: string;
  readonly act: string | null;
  readonly code: string;
  readonly route: string;
  readonly count: number;
}

/** What tenants learn of the use of their credentials, and of what was refused them: over HTTP, as it happens. */
describe('The trail of access', () => {
  let api: TestApi;
  let tenant: { readonly id: string; readonly key: string };

  beforeAll(async () => {
    api = await TestApi.start();
  });
  beforeEach(async () => {
    tenant = await api.tenant();
  });
  afterAll(() => api.close());

  const told = async (type: string, least = 0): Promise<{ actor: string; data: Refused }[]> => {
    for (let attempt = 0; ; attempt += 1) {
      const events = await api.database.admin<{ actor: string; data: Refused }>(
        'select actor, data from events.log where tenant_id = $1 and type = $2 order by seq',
        [tenant.id, type],
      );
      if (events.length >= least || attempt === 50) return events;
      await sleep(100);
    }
  };
  /** The refusals that the tenant is told of, once there is one: they are written behind the answers. */
  const refused = async (): Promise<Refused[]> =>
    (await told('identity.access.refused', 1)).map(({ data }) => data);
  /** Uses are noted once the answer is out, a moment after its client has it. */
  const usesWritten = async (): Promise<void> => {
    await sleep(50);
    await api.app.get(CredentialUses, { strict: false }).flush();
  };
  const keyWith = async (scopes: readonly string[]) => {
    const made = await api.ask('POST', '/v1/api-keys', { key: tenant.key, body: { name: 'lesser', scopes } });
    return { id: String(made.body['id']), key: String(made.body['secret']) };
  };

  it('tells of a scope that was not held, over REST and GraphQL, by whom it was asked', async () => {
    const { id, key } = await keyWith(['tenant:read']);
    expect(await api.ask('GET', '/v1/ledger/accounts', { key })).toMatchObject({ status: 403 });
    await api.graphql(key, '{ a: apiKeys { edges { cursor } } b: apiKeys { edges { cursor } } }');
    const data = { code: 'auth.forbidden', kind: 'forbidden' };
    const actor = `api_key:${id}`;
    expect(await told('audit.request.refused', 2)).toEqual([
      { actor, data: expect.objectContaining({ ...data, message: 'Accounts', count: 1 }) },
      { actor, data: expect.objectContaining({ ...data, message: 'ApiKeys', count: 2 }) },
    ]);
    expect(await told('identity.access.refused')).toEqual([]);
  });

  it('tells of a key that is revoked, and tells its bearer nothing', async () => {
    const { id, key } = await keyWith(['tenant:read']);
    await api.ask('DELETE', `/v1/api-keys/${id}`, { key: tenant.key });
    const answer = await api.ask('GET', '/v1/tenant', { key });
    expect(answer).toMatchObject({ status: 401, body: { code: 'auth.invalid_credential' } });
    expect(answer.text).not.toContain(id);
    expect(await refused()).toMatchObject([{ actor: `api_key:${id}`, code: 'auth.invalid_credential' }]);
  });

  it('tells of a tenant that the header names and the key does not, and of one that is suspended', async () => {
    const headers = { 'holdfast-tenant': '01900000-0000-7000-8000-000000000000' };
    expect(await api.ask('GET', '/v1/tenant', { key: tenant.key, headers })).toMatchObject({ status: 403 });
    expect(await refused()).toMatchObject([{ code: 'auth.tenant_not_yours' }]);
    const reason = 'The invoice of October is not paid';
    await api.operator('POST', `/v1/operator/tenants/${tenant.id}/suspend`, { body: { reason } });
    // Noticed within five seconds, and told within another.
    let answer = await api.ask('GET', '/v1/ledger/accounts', { key: tenant.key });
    for (let attempt = 0; attempt < 60 && answer.status === 200; attempt += 1) {
      await sleep(100);
      answer = await api.ask('GET', '/v1/ledger/accounts', { key: tenant.key });
    }
    expect(answer).toMatchObject({ status: 403, body: { code: 'tenants.suspended' } });
    await sleep(1_500);
    expect((await refused()).at(-1)).toMatchObject({ code: 'tenants.suspended' });
  }, 20_000);

  it('tells of an address that the key was not used from, and keeps the address out of it', async () => {
    const { id, key } = await keyWith(['tenant:read']);
    for (const remoteAddress of ['203.0.113.7', '2001:db8:1:2::7', '2001:db8:1:2::8']) {
      const headers = { authorization: `Bearer ${key}` };
      expect(await api.app.inject({ url: '/v1/tenant', headers, remoteAddress })).toMatchObject({
        statusCode: 200,
      });
      await usesWritten();
    }
    const events = await api.database.admin<{
      data: { credential: string; commitments: string[] };
      text: string;
    }>(
      `select data, to_jsonb(l)::text as text from events.log l
       where tenant_id = $1 and type = 'identity.credential.used_from_new_address'`,
      [tenant.id],
    );
    expect(events.map(({ data }) => [data.credential, data.commitments.length])).toEqual([
      [`api_key:${id}`, 1],
    ]);
    expect(events[0]?.text).not.toMatch(/203\.0\.113|2001:db8/);
    const shown = await api.ask('GET', `/v1/api-keys/${id}`, { key: tenant.key });
    expect(shown.body).toMatchObject({ lastUsedFrom: '2001:db8:1:2::/64' });
  });

  it('shows when and from where a key was last used', async () => {
    const { id, key } = await keyWith(['tenant:read']);
    const url = `/v1/api-keys/${id}`;
    expect((await api.ask('GET', url, { key: tenant.key })).body).toMatchObject({ lastUsedAt: null });
    await api.ask('GET', '/v1/tenant', { key });
    await usesWritten();
    const { body } = await api.ask('GET', url, { key: tenant.key });
    expect(body).toMatchObject({ lastUsedAt: expect.any(String) as string, lastUsedFrom: '127.0.0.1' });
  });

  it('tells from where the request of an event came, to who may see that', async () => {
    const { id } = await keyWith(['audit:read']);
    const poor = await keyWith(['audit:read']);
    await sleep(50);
    await api.app.get(RequestOrigins, { strict: false }).flush();
    const [event] = await api.database.admin<{ id: string }>(
      "select id from events.log where tenant_id = $1 and type = 'identity.api_key.created' and stream_id = $2",
      [tenant.id, id],
    );
    const seen = await api.ask('GET', `/v1/audit/events/${event!.id}`, { key: tenant.key });
    const origin = { route: 'POST /v1/api-keys', status: 201 };
    expect(seen.body['origins']).toEqual([
      expect.objectContaining({ ...origin, address: '127.0.0.1', userAgent: expect.any(String) }),
    ]);
    const hidden = await api.ask('GET', `/v1/audit/events/${event!.id}`, { key: poor.key });
    expect(hidden.body['origins']).toMatchObject([{ ...origin, address: null, userAgent: null }]);
    const rows = await api.database.admin<{ route: string }>(
      'select route from audit.requests where tenant_id = $1',
      [tenant.id],
    );
    expect(rows).toEqual([{ route: 'POST /v1/api-keys' }, { route: 'POST /v1/api-keys' }]);
  });

  it('leaves the code of a refusal in the log', async () => {
    await api.ask('GET', '/v1/tenant', { key: 'nobody' });
    expect(JSON.parse(api.logged.at(-1) ?? '')).toMatchObject({
      status: 401,
      code: 'auth.invalid_credential',
    });
  });
});
