import { randomUUID } from 'node:crypto';
import { TestIssuer } from '@holdfast/testing';
import { TestApi, trusting } from './test-api';

describe('Sign-up over HTTP', () => {
  let issuer: TestIssuer;
  let open: TestApi;
  let closed: TestApi;

  beforeAll(async () => {
    issuer = await TestIssuer.start();
    const issuers = [trusting(issuer.url)];
    open = await TestApi.start({}, [], issuers);
    closed = await open.pod(issuers, false);
  });
  afterAll(async () => {
    await closed.close();
    await open.close();
    await issuer.stop();
  });

  const wanted = (): object => ({ slug: `s-${randomUUID()}`, name: 'Mine' });

  it('makes a person the owner of a tenant of their own', async () => {
    const key = await issuer.token({ sub: randomUUID() });
    const made = await open.ask('POST', '/v1/sign-up', { key, body: wanted() });
    expect([made.status, made.body['name']]).toEqual([201, 'Mine']);
    const own = await open.ask('GET', '/v1/tenant', { key });
    expect(own.body['id']).toBe(made.body['id']);
    expect((await open.ask('GET', '/v1/me', { key })).body['permissions']).toEqual(['*']);
    const again = await open.ask('POST', '/v1/sign-up', { key, body: wanted() });
    expect([again.status, again.body['code']]).toEqual([409, 'tenants.signed_up_already']);
  });

  it('is refused where the operator makes all tenants', async () => {
    const key = await issuer.token({ sub: randomUUID() });
    const refused = await closed.ask('POST', '/v1/sign-up', { key, body: wanted() });
    expect([refused.status, refused.body['code']]).toEqual([403, 'tenants.sign_up_disabled']);
  });

  it('takes a JWT and nothing else', async () => {
    const { key } = await open.tenant();
    for (const credential of [key, undefined, 'nonsense']) {
      const asked = { ...(credential !== undefined && { key: credential }), body: wanted() };
      expect((await open.ask('POST', '/v1/sign-up', asked)).status).toBe(401);
    }
  });
});
