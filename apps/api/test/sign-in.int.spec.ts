import { setTimeout as sleep } from 'node:timers/promises';
import { TestIssuer } from '@holdfast/testing';
import { OidcProvider } from './oidc-provider';
import { type Answer, TestApi, trusting } from './test-api';

/** People sign in at a real provider, are brought in by its claims, and by invitations. */
describe('Signing in', () => {
  let provider: OidcProvider;
  let issuer: TestIssuer;
  let api: TestApi;

  beforeAll(async () => {
    provider = await OidcProvider.start();
    issuer = await TestIssuer.start();
    api = await TestApi.start({}, [], [trusting(provider.url), trusting(issuer.url)]);
  });
  afterAll(async () => {
    await api.close();
    await issuer.stop();
    await provider.stop();
  });

  const me = (key: string, tenantId?: string, on = api): Promise<Answer> =>
    on.ask('GET', '/v1/me', { key, headers: tenantId ? { 'holdfast-tenant': tenantId } : {} });
  const map = async (key: string, more: object = {}): Promise<Answer> => {
    const body = {
      issuer: provider.url,
      claim: 'org',
      claimValue: 'acme',
      roleClaim: 'groups',
      roles: [{ value: 'boss', role: 'admin' }],
      ...more,
    };
    const mapped = await api.ask('POST', '/v1/issuers', { key, body });
    expect([mapped.status, mapped.text]).toEqual([201, mapped.text]);
    return mapped;
  };
  const signIns = (tenantId: string): Promise<{ actor: string; data: object }[]> =>
    api.database.admin(
      `select actor, data from events.log where tenant_id = $1 and type = 'identity.member.signed_in'`,
      [tenantId],
    );

  it('brings in whom the provider’s claims admit, at their first request', async () => {
    const { id, key } = await api.tenant();
    await map(key);
    const anna = await provider.token('anna');
    expect((await me(anna)).body['code']).toBe('auth.no_membership');
    const first = await me(anna, id);
    expect(first.body).toMatchObject({
      tenantId: id,
      permissions: expect.arrayContaining(['members:write']),
    });
    expect((await me(await provider.token('bert'), id)).body['code']).toBe('auth.tenant_not_yours');
    const members = await api.ask('GET', '/v1/members', { key });
    expect(members.body['data']).toMatchObject([{ subject: 'anna', role: 'admin', source: 'issuer' }]);
  });

  it('leaves other tenants alone that map the same claim', async () => {
    const [one, other] = [await api.tenant(), await api.tenant()];
    await map(one.key);
    await map(other.key);
    await me(await provider.token('anna'), one.id);
    expect((await api.ask('GET', '/v1/members', { key: other.key })).body['data']).toEqual([]);
  });

  it('ends the access of those whom a mapping no longer admits', async () => {
    const { id, key } = await api.tenant();
    const mapped = await map(key);
    const anna = await provider.token('anna');
    expect((await me(anna, id)).status).toBe(200);
    const headers = { 'if-match': String(mapped.headers['etag']) };
    await api.ask('DELETE', `/v1/issuers/${String(mapped.body['id'])}`, { key, headers });
    const answers = [await me(await provider.token('anna'), id)];
    while (answers.at(-1)?.status !== 403 && answers.length < 100) {
      await sleep(50);
      answers.push(await me(await provider.token('anna'), id));
    }
    expect(answers.at(-1)?.body['code']).toBe('auth.tenant_not_yours');
  });

  it('is recorded once a token, and not for every request', async () => {
    const { id, key } = await api.tenant();
    await map(key);
    const anna = await provider.token('anna');
    await Promise.all(Array.from({ length: 20 }, () => me(anna, id)));
    await me(await provider.token('anna'), id);
    let recorded = await signIns(id);
    for (let tries = 0; recorded.length === 0 && tries < 100; tries += 1) {
      await sleep(20);
      recorded = await signIns(id);
    }
    await sleep(200);
    expect(await signIns(id)).toEqual([{ actor: expect.stringMatching(/^member:/) as string, data: {} }]);
  });

  it('goes on when the provider changes its key', async () => {
    const { id, key } = await api.tenant();
    await map(key);
    expect((await me(await provider.token('anna'), id)).status).toBe(200);
    await provider.restart();
    const fresh = await provider.token('anna');
    // Keys were read a moment ago, so an unknown one is not looked for: nobody can make us ask at will.
    expect((await me(fresh, id)).status).toBe(401);
    const now = Date.now.bind(Date);
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() + 31_000);
    try {
      expect((await me(fresh, id)).status).toBe(200);
    } finally {
      clock.mockRestore();
    }
  });

  it('accepts an invitation, for the address that it names', async () => {
    const { id, key } = await api.tenant();
    const body = { role: 'auditor', email: 'Anna@example.com' };
    const invited = await api.ask('POST', '/v1/invitations', { key, body });
    const accept = async (claims: object, token = invited.body['token']): Promise<Answer> =>
      api.ask('POST', '/v1/invitations/accept', { key: await issuer.token({ ...claims }), body: { token } });
    const refused = await accept({ sub: 'bert', email: 'bert@example.com' });
    expect([refused.status, refused.body['code']]).toEqual([403, 'identity.invitation_for_another']);
    const made = await accept({ sub: 'anna', email: 'anna@example.com' });
    expect(made.body).toMatchObject({ role: 'auditor', source: 'invitation', subject: 'anna' });
    expect((await me(await issuer.token({ sub: 'anna' }))).body).toMatchObject({ tenantId: id });
    const late = await accept({ sub: 'anna-2', email: 'anna@example.com' });
    const wrong = await accept({ sub: 'anna' }, `hfi_${'0'.repeat(32)}_${'a'.repeat(30)}`);
    for (const answer of [late, wrong])
      expect([answer.status, answer.body['code']]).toEqual([422, 'identity.invitation_invalid']);
    const stored = await api.database.admin<{ tenants: number }>(
      `select count(*)::int as tenants from idempotency.answers a
       where not exists (select from tenants.tenants t where t.tenant_id = a.tenant_id)`,
    );
    expect(stored).toEqual([{ tenants: 0 }]);
    const byKey = await api.ask('POST', '/v1/invitations/accept', { key, body: { token: 'x' } });
    expect(byKey.status).toBe(401);
  });
});
