import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestIssuer } from '@holdfast/testing';
import { type Answer, TestApi, trusting } from './test-api';

/** A suspended tenant ends its holds, over REST and GraphQL, and does nothing else. */
describe('A suspended tenant', () => {
  let api: TestApi;
  let issuer: TestIssuer;
  let key: string;
  let reader: string;
  let token: string;
  let holds: string[];
  let posted: string;
  let cash: string;
  let wallet: string;

  beforeAll(async () => {
    issuer = await TestIssuer.start();
    api = await TestApi.start({}, [], [trusting(issuer.url)]);
    const tenant = await api.tenant();
    ({ key } = tenant);
    const made = { name: 'reader', scopes: ['ledger:read'] };
    reader = String((await api.ask('POST', '/v1/api-keys', { key, body: made })).body['secret']);
    const member = { issuer: issuer.url, subject: 'ann', role: 'member' };
    await api.ask('POST', '/v1/members', { key, body: member });
    token = await issuer.token({ sub: member.subject, exp: Math.floor(Date.now() / 1_000) + 3_600 });
    cash = await api.account(key, 'cash', { normalBalance: 'debit' });
    wallet = await api.account(key, 'wallet');
    posted = await transferred({});
    holds = [];
    for (let count = 0; count < 6; count += 1) holds.push(await transferred({ pending: true }));
    const body = { reason: 'The invoice of October is not paid' };
    await api.operator('POST', `/v1/operator/tenants/${tenant.id}/suspend`, { body });
    // Every process notices it within five seconds.
    while ((await api.ask('GET', '/v1/ledger/accounts', { key })).status === 200) await sleep(100);
  }, 60_000);
  afterAll(async () => {
    await api.close();
    await issuer.stop();
  });

  const transfer = (more: object): object => ({
    debitAccountId: cash,
    creditAccountId: wallet,
    amount: '100',
    ...more,
  });
  const post = (path: string, body: object = {}, by = key): Promise<Answer> =>
    api.ask('POST', `/v1/ledger/${path}`, { key: by, body });
  const transferred = async (more: object): Promise<string> =>
    String((await post('transfers', transfer(more))).body['id']);
  const hold = (): string => holds.pop() ?? '';
  const suspended = { status: 403, body: { code: 'tenants.suspended' } };

  it('posts and voids what it holds, by a key and by a person', async () => {
    const [first, second, third] = [hold(), hold(), hold()];
    expect(await post(`transfers/${first}/post`, { amount: '40' })).toMatchObject({
      ...{ status: 201, body: { kind: 'post', amount: '40' } },
    });
    expect(await post(`transfers/${second}/void`)).toMatchObject({ status: 201, body: { kind: 'void' } });
    expect(await post(`transfers/${third}/void`, {}, token)).toMatchObject({ status: 201 });
    expect(await post(`transfers/${third}/post`, {}, token)).toMatchObject({
      ...{ status: 422, body: { code: 'ledger.hold_voided' } },
    });
    const actors = await api.database.admin<{ actor: string }>(
      `select distinct split_part(actor, ':', 1) as actor from events.log where type ~ 'ledger.hold.(posted|voided)' order by 1`,
    );
    expect(actors).toEqual([{ actor: 'api_key' }, { actor: 'member' }]);
  });

  it('does nothing else', async () => {
    const one = hold();
    const item = { id: randomUUID(), kind: 'void', targetId: one };
    for (const [path, body] of [
      ['transfers', transfer({})],
      ['transfers:batch', { items: [item] }],
      [`transfers/${posted}/reverse`, {}],
      [`accounts/${cash}/close`, {}],
      ['accounts', { code: 'x', asset: 'EUR/2', normalBalance: 'debit' }],
    ] as const)
      expect([path, await post(path, body)]).toEqual([path, expect.objectContaining({ status: 403 })]);
    for (const path of ['transfers', `transfers/${one}`, `accounts/${cash}`])
      expect(await api.ask('GET', `/v1/ledger/${path}`, { key })).toMatchObject(suspended);
    expect(await api.ask('GET', '/v1/tenant', { key })).toMatchObject(suspended);
  });

  it('needs a credential that may post, and one at all', async () => {
    const one = hold();
    expect(await post(`transfers/${one}/void`, {}, reader)).toMatchObject(suspended);
    const altered = `${key.slice(0, -1)}${key.endsWith('x') ? 'y' : 'x'}`;
    expect(await post(`transfers/${one}/void`, {}, altered)).toMatchObject({ status: 401 });
    const other = await api.tenant();
    expect(await post(`transfers/${one}/void`, {}, other.key)).toMatchObject({
      ...{ status: 404, body: { code: 'ledger.hold_not_found' } },
    });
  });

  it('ends a hold over GraphQL, and gets no further with it, neither below the field nor beside it', async () => {
    const one = hold();
    const document = `mutation ($id: ID!, $transfer: PostTransferInput!, $key: String!) {
      voidHold(id: $id, input: {}, idempotencyKey: $key) { kind status }
      postTransfer(input: $transfer, idempotencyKey: $key) { id }
    }`;
    const ask = async (query: string, variables: object): Promise<[unknown, unknown[]]> => {
      const { body } = await api.graphql(key, query, variables);
      const { data, errors = [] } = body as { data: unknown; errors?: { extensions: { code: string } }[] };
      return [data, errors.map(({ extensions }) => extensions.code)];
    };
    // A field that is refused ends the answer, and not what was done before it: that is answered for its key.
    const [, refused] = await ask(document, { id: one, transfer: transfer({}), key: 'one' });
    expect(refused).toEqual(['tenants.suspended']);
    const plain = `mutation ($id: ID!) { voidHold(id: $id, input: {}, idempotencyKey: "one") { kind status } }`;
    expect(await ask(plain, { id: one })).toEqual([{ voidHold: { kind: 'void', status: 'voided' } }, []]);
    const below = `mutation ($id: ID!) { voidHold(id: $id, input: {}, idempotencyKey: "one") { debitAccount { code } } }`;
    expect(await ask(below, { id: one })).toEqual([null, ['auth.forbidden']]);
    expect(await ask('{ accounts { edges { node { code } } } }', {})).toEqual([null, ['tenants.suspended']]);
    const [events] = await api.database.admin<{ count: number }>(
      `select count(*)::int as count from events.log where stream_id = $1 and type = 'ledger.hold.voided'`,
      [one],
    );
    expect(events).toEqual({ count: 1 });
  });
});
