import { type Answer, type Asked, TestApi } from './test-api';

/** The contract of design and README: every answer has a stable code, and no answer tells what it must not. */
describe('API contract', () => {
  let api: TestApi;
  let key: string;
  let other: string;
  let cash: string;
  let equity: string;

  beforeAll(async () => {
    api = await TestApi.start();
    key = (await api.tenant()).key;
    other = (await api.tenant()).key;
    cash = await api.account(key, 'cash', { normalBalance: 'debit' });
    equity = await api.account(key, 'equity');
  });
  afterAll(() => api.close());

  const transfer = (more: object = {}): object => ({
    debitAccountId: cash,
    creditAccountId: equity,
    amount: '100',
    ...more,
  });
  const post = (body: unknown, asked: Asked = {}): Promise<Answer> =>
    api.ask('POST', '/v1/ledger/transfers', { key, body, ...asked });

  it('posts a transfer and shows it', async () => {
    const posted = await post(transfer());
    expect(posted).toMatchObject({ status: 201, body: { status: 'posted', amount: '100' } });
    const read = await api.ask('GET', `/v1/ledger/transfers/${String(posted.body['id'])}`, { key });
    expect(read.body).toEqual(posted.body);
    const trail = await api.ask(
      'GET',
      `/v1/audit/events?stream=ledger.transfer/${String(posted.body['id'])}`,
      { key },
    );
    expect(trail.body['data']).toMatchObject([
      { type: 'ledger.transfer.posted', requestId: posted.headers['x-request-id'] },
    ]);
  });

  it.each<[string, string | object | Buffer, Asked, number, string]>([
    ['no idempotency key', {}, { idempotencyKey: null }, 400, 'idempotency.key_missing'],
    [
      'an idempotency key of 256 characters',
      {},
      { idempotencyKey: 'k'.repeat(256) },
      400,
      'idempotency.key_missing',
    ],
    [
      'a wrong key',
      {},
      { key: 'hf_live_000000000000000000000000000000000000' },
      401,
      'auth.invalid_credential',
    ],
    ['another system’s token', {}, { key: 'eyJhbGciOiJub25lIn0.e30.' }, 401, 'auth.invalid_credential'],
  ])('refuses %s', async (_what, body, asked, status, code) => {
    const answer = await post(body, asked);
    expect(answer).toMatchObject({
      status,
      body: { status, code, requestId: answer.headers['x-request-id'] },
    });
    expect(answer.headers['content-type']).toContain('application/problem+json');
  });

  it('refuses a key that has ended before it was made', async () => {
    for (const expiresAt of ['0000-01-01T00:00:00Z', '2001-01-01T00:00:00Z']) {
      const body = { name: 'dead', scopes: ['ledger:read'], expiresAt };
      expect(await api.ask('POST', '/v1/api-keys', { key, body })).toMatchObject({ status: 422 });
    }
  });

  it('answers for an account of another tenant as for one that never was', async () => {
    const never = '01890000-0000-7000-8000-000000000000';
    const shape = ({ status, body }: Answer): object => ({ ...body, status, requestId: '', instance: '' });
    for (const path of ['/v1/ledger/accounts/', '/v1/ledger/transfers/', '/v1/audit/events/']) {
      const foreign = await api.ask('GET', path + cash, { key: other });
      expect(foreign.status).toBe(404);
      expect(shape(foreign)).toEqual(shape(await api.ask('GET', path + never, { key: other })));
    }
    const foreign = await post(transfer(), { key: other });
    expect(foreign.status).toBe(404);
    expect(shape(foreign)).toEqual(
      shape(
        await post(transfer({ debitAccountId: never, creditAccountId: never.replace(/0$/, '1') }), {
          key: other,
        }),
      ),
    );
  });

  it('keeps lists of one tenant from another', async () => {
    for (const path of ['/v1/ledger/accounts', '/v1/ledger/transfers', '/v1/telemetry/events']) {
      const list = await api.ask('GET', path, { key: other });
      expect([path, list.status, list.body['data']]).toEqual([path, 200, []]);
    }
    const trail = await api.ask('GET', '/v1/audit/events', { key: other });
    expect(trail.text).not.toContain(cash);
  });

  it('replays an answer to the same request and refuses another body under its key', async () => {
    const first = await post(transfer(), { idempotencyKey: 'same' });
    const again = await post(transfer(), { idempotencyKey: 'same' });
    expect(again).toMatchObject({
      status: 201,
      body: first.body,
      headers: { 'idempotency-replayed': 'true' },
    });
    expect(await post(transfer({ amount: '7' }), { idempotencyKey: 'same' })).toMatchObject({
      status: 422,
      body: { code: 'idempotency.key_reused' },
    });
  });

  it('refuses what the scopes do not allow', async () => {
    const { key: reader } = await api.tenant(['ledger:read']);
    expect(await post(transfer(), { key: reader })).toMatchObject({
      status: 403,
      body: { code: 'auth.forbidden' },
    });
    expect(await api.ask('GET', '/v1/ledger/accounts', { key: reader })).toMatchObject({ status: 200 });
  });

  it('takes the tenant from the credential alone', async () => {
    const list = await api.ask('GET', '/v1/ledger/accounts', {
      key: other,
      headers: { 'x-tenant-id': cash, tenant: cash },
    });
    expect(list.body['data']).toEqual([]);
    const injected = await api.ask('GET', `/v1/ledger/accounts?tenantId=${cash}`, { key: other });
    expect(injected).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/tenantId', code: 'unknown_field' }] },
    });
  });

  it('refuses a cursor that it has not handed out', async () => {
    const page = await api.ask('GET', '/v1/ledger/accounts?limit=1', { key });
    const cursor = String(page.body['nextCursor']);
    expect(await api.ask('GET', `/v1/ledger/accounts?after=${cursor}`, { key })).toMatchObject({
      status: 200,
    });
    for (const [who, after] of [
      [other, cursor],
      [key, 'forged'],
      [key, `${cursor}x`],
    ] as const) {
      expect(await api.ask('GET', `/v1/ledger/accounts?after=${after}`, { key: who })).toMatchObject({
        status: 400,
        body: { code: 'request.cursor_invalid' },
      });
    }
  });

  it('keeps the operator’s routes and the tenants’ apart', async () => {
    expect(await api.ask('GET', '/v1/operator/tenants', { key })).toMatchObject({ status: 401 });
    expect(await api.operator('GET', '/v1/ledger/accounts')).toMatchObject({ status: 401 });
    expect(await api.operator('GET', '/v1/operator/tenants?limit=1')).toMatchObject({ status: 200 });
    expect(JSON.parse(api.logged.at(-1) ?? '')).toMatchObject({ act: 'operator:operator', status: 200 });
  });

  it('does the same over GraphQL, with the same codes', async () => {
    const mutation = `mutation Post($input: PostTransferInput!, $key: String!) { postTransfer(input: $input, idempotencyKey: $key) { id amount status } }`;
    const posted = await api.graphql(key, mutation, { input: transfer(), key: 'gql' });
    expect(posted.body).toMatchObject({ data: { postTransfer: { amount: '100', status: 'posted' } } });
    const codes = async (who: string | undefined, query: string, variables = {}): Promise<unknown> => {
      const { errors } = (await api.graphql(who, query, variables)).body as {
        errors: { extensions: { code: string } }[];
      };
      return errors.map((error) => error.extensions.code);
    };
    expect(await codes(key, mutation, { input: transfer({ amount: '1e3' }), key: 'x' })).toEqual([
      'request.invalid',
    ]);
    expect(await codes(key, mutation, { input: transfer(), key: '' })).toEqual(['idempotency.key_missing']);
    expect(await codes(other, mutation, { input: transfer(), key: 'x' })).toEqual([
      'ledger.account_not_found',
    ]);
    expect(await codes(undefined, '{ tenant { id } }')).toEqual(['auth.invalid_credential']);
    expect(await codes(key, 'mutation { revokeApiKey(id: "abc") }')).toEqual(['request.invalid']);
    expect(await codes(key, '{ nothing }')).toEqual(['graphql.invalid']);
    expect(await api.ask('POST', '/graphql', { key, body: { query: 5 } })).toMatchObject({ status: 400 });
    expect(await api.ask('GET', '/graphql?query=%7Btenant%7Bid%7D%7D', { key })).toMatchObject({
      status: 405,
    });
    expect(
      await codes(key, `{ ${Array.from({ length: 40 }, (_, i) => `a${i}: tenant { id }`).join(' ')} }`),
    ).toEqual(['graphql.invalid']);
  });

  it('says which variable of a document is wrong, and never its value', async () => {
    const faults = async (query: string, variables: object): Promise<unknown> => {
      const { status, body } = await api.graphql(key, query, variables);
      const { errors } = body as { errors: { message: string; extensions: { code: string } }[] };
      return [status, ...errors.map(({ message, extensions }) => `${extensions.code} ${message}`)];
    };
    // What is asked a second time is compiled, by another engine: each of these is asked once.
    const mutation = (name: string): string =>
      `mutation ${name}($input: PostTransferInput!) { postTransfer(input: $input, idempotencyKey: "v") { id } }`;
    const wrong = 'graphql.invalid Variable "$input"';
    expect(await faults(mutation('A'), { input: transfer({ amount: { secret: 'hunter2' } }) })).toEqual([
      400,
      `${wrong} at "input.amount" is not of its type: String cannot represent a non string value.`,
    ]);
    expect(await faults(mutation('B'), { input: transfer({ unknown: 'hunter2' }) })).toEqual([
      400,
      `${wrong} is not of its type: Field "unknown" is not defined by type "PostTransferInput".`,
    ]);
    expect(await faults(mutation('C'), { input: { debitAccountId: cash, creditAccountId: equity } })).toEqual(
      [400, `${wrong} is not of its type: Field "amount" of required type "String!" was not provided.`],
    );
    expect(await faults(mutation('D'), { input: 'a at "hunter2"' })).toEqual([
      400,
      `${wrong} is not of its type: Expected type "PostTransferInput" to be an object.`,
    ]);
    const list = 'query ($first: Int) { transfers(first: $first) { edges { node { id } } } }';
    for (let asked = 0; asked < 3; asked += 1) {
      expect(JSON.stringify(await faults(list, { first: 'hunter2' }))).toMatch(
        /^\[400,"graphql\.invalid Variable \\"\$first\\" is not of its type[^"]{0,60}"\]$/,
      );
    }
    expect(api.logged.join('')).not.toContain('hunter2');
  });

  it('never says what the database said, and logs no secret', async () => {
    const everything = api.logged.join('');
    expect(everything).not.toContain(key);
    // The end of a MAC, the id of its key and a tenant: as in a genuine grant.
    const signedGrant = /[0-9A-Za-z+/]{16}\d{4}[0-9a-f]{8}-[0-9a-f]{4}-/;
    expect((await api.database.caller()).grant).toMatch(signedGrant);
    expect(everything).not.toMatch(signedGrant);
    expect(everything).not.toContain('"level":"error"');
    expect(everything).toContain('"msg":"request answered"');
  });

  it('documents every route with its answers and errors', async () => {
    const { body } = await api.ask('GET', '/openapi.json');
    expect(body['openapi']).toBe('3.1.0');
    const operations = Object.values(
      body['paths'] as Record<string, Record<string, { responses: object; summary?: string }>>,
    ).flatMap(Object.values);
    for (const operation of operations) {
      expect(operation).toMatchObject({
        summary: expect.any(String),
        responses: { default: { content: { 'application/problem+json': {} } } },
      });
    }
    expect(operations.length).toBeGreaterThan(20);
  });

  // What a schema cannot say, as that of two fields one is wanted, an example has to.
  it('documents a body of a payment that is taken as it stands', async () => {
    const { body } = await api.ask('GET', '/openapi.json');
    const paths = body['paths'] as Record<string, { post: { requestBody: { content: object } } }>;
    const content = paths['/v1/payments']?.post.requestBody.content;
    const { example } = (content as Record<string, { schema: { example: object } }>)['application/json']!
      .schema;
    const paid = await api.ask('POST', '/v1/payments', { key, body: example });
    expect(paid.body).toMatchObject({ code: 'ledger.account_not_found' });
    const amount = { example: '1234' };
    expect(content).toMatchObject({ 'application/json': { schema: { properties: { amount } } } });
  });
});
