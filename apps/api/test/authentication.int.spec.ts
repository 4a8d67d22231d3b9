import { newId } from '@holdfast/kernel';
import { TestIssuer } from '@holdfast/testing';
import type { Answer } from './test-api';
import { TestApi, trusting } from './test-api';

/** Isolation.md, row 25: the tenant comes from the credential; a header chooses among memberships and nothing more. */
describe('Authentication', () => {
  let issuer: TestIssuer;
  let away: TestIssuer;
  let api: TestApi;

  beforeAll(async () => {
    issuer = await TestIssuer.start();
    away = await TestIssuer.start();
    api = await TestApi.start({}, [], [trusting(issuer.url, { tenantClaim: 'org' }), trusting(away.url)]);
  });
  afterAll(async () => {
    await api.close();
    await issuer.stop();
  });

  const join = (tenantId: string, subject: string): Promise<unknown> =>
    api.database.admin(`insert into auth.memberships values ($1, $2, $3, $4, '{tenant:read}')`, [
      issuer.url,
      subject,
      tenantId,
      newId(),
    ]);
  const own = async (token: string, tenant?: string): Promise<Answer> =>
    api.ask('GET', '/v1/tenant', { key: token, headers: tenant ? { 'holdfast-tenant': tenant } : {} });
  const person = async (...tenants: { readonly id: string }[]): Promise<string> => {
    const subject = newId();
    for (const { id } of tenants) await join(id, subject);
    return subject;
  };

  it('admits a member to their one tenant', async () => {
    const tenant = await api.tenant();
    const token = await issuer.token({ sub: await person(tenant) });
    expect((await own(token)).body).toMatchObject({ id: tenant.id });
    expect((await own(token, tenant.id.toUpperCase())).body).toMatchObject({ id: tenant.id });
    const refused = await api.ask('GET', '/v1/audit/events', { key: token });
    expect([refused.status, refused.body['code']]).toEqual([403, 'auth.forbidden']);
  });

  it('lets a header choose among memberships', async () => {
    const [one, other] = [await api.tenant(), await api.tenant()];
    const token = await issuer.token({ sub: await person(one, other) });
    expect((await own(token)).body).toMatchObject({ status: 403, code: 'auth.tenant_not_chosen' });
    expect((await own(token, one.id)).body).toMatchObject({ id: one.id });
    expect((await own(token, other.id)).body).toMatchObject({ id: other.id });
  });

  it('lets the issuer name the tenant, by id or slug, and a header no other', async () => {
    const [one, other] = [await api.tenant(), await api.tenant()];
    const sub = await person(one, other);
    const slug = String((await api.ask('GET', '/v1/tenant', { key: one.key })).body['slug']);
    for (const org of [one.id, slug]) {
      const token = await issuer.token({ sub, org });
      expect((await own(token)).body).toMatchObject({ id: one.id });
      expect((await own(token, one.id)).body).toMatchObject({ id: one.id });
      expect((await own(token, other.id)).body).toMatchObject({ code: 'auth.tenant_not_yours' });
    }
  });

  it('answers the same for a tenant that is not yours and one that is not', async () => {
    const [mine, foreign] = [await api.tenant(), await api.tenant()];
    const slug = String((await api.ask('GET', '/v1/tenant', { key: foreign.key })).body['slug']);
    const sub = await person(mine);
    const token = await issuer.token({ sub });
    const answers = [
      await own(token, foreign.id),
      await own(token, newId()),
      await own(token, 'no-id'),
      await own(await issuer.token({ sub, org: foreign.id })),
      await own(await issuer.token({ sub, org: slug })),
      await own(await issuer.token({ sub, org: newId() })),
      await own(await issuer.token({ sub, org: 'no-such-slug' })),
      await own(await issuer.token({ sub, org: '' })),
      await own(await issuer.token({ sub, org: null })),
      await own(mine.key, foreign.id),
      await own(mine.key, newId()),
    ];
    const same = answers.map(({ status, body }) => ({ status, ...body, requestId: '' }));
    for (const answer of same) expect(answer).toEqual(same[0]);
    expect(same[0]).toMatchObject({ status: 403, code: 'auth.tenant_not_yours' });
  });

  it('takes a key for its own tenant', async () => {
    const { id, key } = await api.tenant();
    expect((await own(key, id)).body).toMatchObject({ id });
  });

  it('knows a member of nothing, whatever the name of the person means elsewhere', async () => {
    const tenant = await api.tenant();
    await person(tenant);
    expect((await own(await issuer.token({ sub: newId() }))).body).toMatchObject({
      status: 403,
      code: 'auth.no_membership',
    });
  });

  it('answers 503 for tokens of an issuer that is away, and goes on for everybody else', async () => {
    await away.stop();
    const refused = await api.ask('GET', '/v1/tenant', { key: await away.token() });
    expect([refused.status, refused.body['code']]).toEqual([503, 'auth.issuer_unavailable']);
    expect(refused.headers['retry-after']).toBe('10');
    const { id, key } = await api.tenant();
    expect((await own(key)).body).toMatchObject({ id });
    expect((await own(await issuer.token())).body).toMatchObject({ code: 'auth.no_membership' });
  });

  it('takes a token over GraphQL as well', async () => {
    const tenant = await api.tenant();
    const answer = await api.graphql(await issuer.token({ sub: await person(tenant) }), '{ tenant { id } }');
    expect(answer.body).toEqual({ data: { tenant: { id: tenant.id } } });
  });
});
