import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestIssuer } from '@holdfast/testing';
import { type Answer, TestApi, trusting } from './test-api';

interface Person {
  readonly id: string;
  readonly token: string;
  readonly etag: string;
}

/** Members, their roles, and what nobody may do to whom. */
describe('Members', () => {
  let issuer: TestIssuer;
  let api: TestApi;
  let pod: TestApi;

  beforeAll(async () => {
    issuer = await TestIssuer.start();
    const issuers = [trusting(issuer.url)];
    api = await TestApi.start({}, [], issuers);
    pod = await api.pod(issuers);
  });
  afterAll(async () => {
    await pod.close();
    await api.close();
    await issuer.stop();
  });

  const add = (key: string, role: string, subject: string = randomUUID()): Promise<Answer> =>
    api.ask('POST', '/v1/members', { key, body: { issuer: issuer.url, subject, role } });
  const join = async (key: string, role: string): Promise<Person> => {
    const subject = randomUUID();
    const added = await add(key, role, subject);
    expect([added.status, added.text]).toEqual([201, added.text]);
    const token = await issuer.token({ sub: subject });
    return { id: String(added.body['id']), token, etag: String(added.headers['etag']) };
  };
  const change = (by: string, { id, etag }: Person, body: object, ifMatch = etag): Promise<Answer> =>
    api.ask('PATCH', `/v1/members/${id}`, { key: by, body, headers: { 'if-match': ifMatch } });
  const remove = (by: string, { id, etag }: Person): Promise<Answer> =>
    api.ask('DELETE', `/v1/members/${id}`, { key: by, headers: { 'if-match': etag } });
  const codes = (...answers: Answer[]): unknown[] =>
    answers.map(({ status, body }) => body['code'] ?? status);
  const defineRole = async (key: string, permissions: readonly string[]): Promise<Person> => {
    const body = { name: randomUUID(), permissions };
    const made = await api.ask('POST', '/v1/roles', { key, body });
    expect(made.status).toBe(201);
    return { id: String(made.body['id']), token: '', etag: String(made.headers['etag']) };
  };
  const may = async (token: string): Promise<unknown> =>
    (await api.ask('GET', '/v1/me', { key: token })).body['permissions'];

  /** Until every process has forgotten what it knew of grants, which takes five seconds at most: see the spec of `Grants`. */
  async function until(holds: () => Promise<boolean>): Promise<number> {
    const began = Date.now();
    while (!(await holds())) await sleep(50);
    return Date.now() - began;
  }

  it('act with the permissions of their role, under their own name', async () => {
    const { id, key } = await api.tenant();
    const anna = await join(key, 'auditor');
    const me = await api.ask('GET', '/v1/me', { key: anna.token });
    expect(me.body).toMatchObject({ tenantId: id, actor: `member:${anna.id}`, memberId: anna.id });
    expect(codes(await add(anna.token, 'member'))).toEqual(['auth.forbidden']);
    const shown = await api.ask('GET', `/v1/members/${anna.id}`, { key: anna.token });
    expect(shown.body).toMatchObject({ role: 'auditor', source: 'added', version: '1', removedAt: null });
  });

  it('are added once, by an issuer that is trusted, with a role that there is', async () => {
    const { key } = await api.tenant();
    await add(key, 'member', 'anna');
    const again = await add(key, 'admin', 'anna');
    const stranger = { issuer: 'https://elsewhere.example', subject: 'x', role: 'member' };
    const elsewhere = await api.ask('POST', '/v1/members', { key, body: stranger });
    const roleless = await add(key, randomUUID());
    expect(codes(again, elsewhere, roleless)).toEqual([
      'identity.member_exists',
      'request.invalid',
      'request.invalid',
    ]);
    expect(elsewhere.body['errors']).toMatchObject([{ pointer: '/issuer' }]);
    expect(roleless.body['errors']).toMatchObject([{ pointer: '/role' }]);
  });

  it('give nobody what they do not hold, and change nobody who holds more', async () => {
    const { key } = await api.tenant();
    const [owner] = [await join(key, 'owner'), await join(key, 'owner')];
    const admin = await join(key, 'admin');
    const refused = [
      await add(admin.token, 'owner'),
      await change(admin.token, owner, { role: 'member' }),
      await change(admin.token, admin, { role: 'owner' }),
      await remove(admin.token, owner),
      await change(admin.token, owner, { displayName: 'Nobody' }),
    ];
    expect(codes(...refused)).toEqual(refused.map(() => 'identity.scope_not_held'));
    expect((await add(admin.token, 'auditor')).status).toBe(201);
  });

  it('cannot widen the role that they hold themselves', async () => {
    const { key } = await api.tenant();
    const role = await defineRole(key, ['roles:write', 'members:read', 'members:write']);
    const { token } = await join(key, role.id);
    const widened = await api.ask('PATCH', `/v1/roles/${role.id}`, {
      key: token,
      body: { permissions: ['roles:write', 'audit:read'] },
      headers: { 'if-match': role.etag },
    });
    const another = await api.ask('POST', '/v1/roles', {
      key: token,
      body: { name: 'more', permissions: ['audit:read'] },
    });
    expect(codes(widened, another)).toEqual(['identity.scope_not_held', 'identity.scope_not_held']);
  });

  it('are changed by those who have seen them as they are', async () => {
    const { key } = await api.tenant();
    const anna = await join(key, 'member');
    const changed = await change(key, anna, { displayName: 'Anna', role: 'admin' });
    expect(changed.body).toMatchObject({ displayName: 'Anna', role: 'admin', version: '2' });
    expect(changed.headers['etag']).toBe('"2"');
    const stale = await change(key, anna, { displayName: 'Anne' });
    const unseen = await api.ask('DELETE', `/v1/members/${anna.id}`, { key });
    expect([stale.status, ...codes(stale)]).toEqual([412, 'resource.version_mismatch']);
    expect([unseen.status, ...codes(unseen)]).toEqual([428, 'request.version_missing']);
  });

  it('include an owner, whoever leaves', async () => {
    const { key } = await api.tenant();
    const only = await join(key, 'owner');
    expect(codes(await remove(key, only), await change(key, only, { role: 'admin' }))).toEqual([
      'identity.last_owner',
      'identity.last_owner',
    ]);
    const owners = [only, ...(await Promise.all([1, 2, 3].map(() => join(key, 'owner'))))];
    const outcomes = await Promise.all(
      owners.map((owner, i) => (i % 2 ? remove(key, owner) : change(key, owner, { role: 'member' }))),
    );
    expect(codes(...outcomes).filter((code) => code === 'identity.last_owner')).toHaveLength(1);
  });

  it('lose what they may do within five seconds on every pod', async () => {
    const { key } = await api.tenant();
    const anna = await join(key, 'admin');
    const own = (on: TestApi, url = '/v1/members'): Promise<Answer> =>
      on.ask('GET', url, { key: anna.token });
    expect(codes(await own(api), await own(pod))).toEqual([200, 200]);
    const demoted = await change(key, anna, { role: 'member' });
    const forDemotion = await until(
      async () => (await own(api)).status === 403 && (await own(pod)).status === 403,
    );
    await remove(key, { ...anna, etag: String(demoted.headers['etag']) });
    const isGone = async (on: TestApi): Promise<boolean> => (await own(on, '/v1/me')).status === 403;
    const forRemoval = await until(async () => (await isGone(api)) && (await isGone(pod)));
    process.stdout.write(`role change on two pods: ${forDemotion} ms, removal: ${forRemoval} ms\n`);
    expect(codes(await own(pod, '/v1/me'))).toEqual(['auth.no_membership']);
  });

  it('follow their role when it changes, and keep it from being removed', async () => {
    const { key } = await api.tenant();
    const role = await defineRole(key, ['tenant:read', 'audit:read']);
    const anna = await join(key, role.id);
    expect(await may(anna.token)).toEqual(['audit:read', 'tenant:read']);
    const headers = { 'if-match': role.etag };
    const url = `/v1/roles/${role.id}`;
    const changed = await api.ask('PATCH', url, { key, body: { permissions: ['tenant:read'] }, headers });
    expect(changed.status).toBe(200);
    await until(async () => JSON.stringify(await may(anna.token)) === '["tenant:read"]');
    const again = { key, headers: { 'if-match': '"2"' } };
    expect(codes(await api.ask('DELETE', url, again))).toEqual(['identity.role_in_use']);
    await remove(key, anna);
    expect(codes(await api.ask('DELETE', url, again))).toEqual([204]);
  });

  it('are as many, and have as many roles, as the plan allows', async () => {
    const { id, key } = await api.tenant();
    const answer = await api.operator('PATCH', `/v1/operator/tenants/${id}`, { body: { plan: 'free' } });
    expect(answer.status).toBeLessThan(300);
    const added = await Promise.all(Array.from({ length: 8 }, () => add(key, 'member')));
    expect(codes(...added).filter((code) => code === 201)).toHaveLength(5);
    expect(codes(...added).filter((code) => code === 'tenants.quota_exceeded')).toHaveLength(3);
    const body = { name: 'own', permissions: ['tenant:read'] };
    expect(codes(await api.ask('POST', '/v1/roles', { key, body }))).toEqual(['tenants.feature_not_in_plan']);
  });

  it('leave events with ids and no addresses', async () => {
    const { id, key } = await api.tenant();
    const body = { issuer: issuer.url, subject: 'secret-subject', role: 'member', email: 'anna@example.com' };
    await api.ask('POST', '/v1/members', { key, body });
    const events = await api.database.admin<{ type: string; data: object }>(
      `select type, data from events.log where tenant_id = $1 and type like 'identity.member.%'`,
      [id],
    );
    const email = { commitment: expect.stringMatching(/^[\w-]{43}$/) as string };
    expect(events).toEqual([
      { type: 'identity.member.added', data: { role: 'member', source: 'added', email } },
    ]);
    expect(JSON.stringify(api.logged)).not.toMatch(/anna@example|secret-subject/);
  });
});
