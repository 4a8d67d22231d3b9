import { randomUUID } from 'node:crypto';
import { TenantDatabase } from '@holdfast/tenancy';
import { type Answer, TestApi } from './test-api';

type Json = Readonly<Record<string, unknown>>;

/** The ledger's transfers as their users see them: over REST and GraphQL, exact or refused. */
describe('Transfers of the API', () => {
  let api: TestApi;
  let key: string;
  let cash: string;
  let wallet: string;

  beforeAll(async () => void (api = await TestApi.start()));
  beforeEach(async () => {
    ({ key } = await api.tenant());
    cash = await api.account(key, 'cash', { normalBalance: 'debit' });
    wallet = await api.account(key, 'wallet', { limit: 'debits_must_not_exceed_credits' });
  });
  afterAll(() => api.close());

  const transfer = (more: object = {}): object => ({
    debitAccountId: cash,
    creditAccountId: wallet,
    amount: '100',
    ...more,
  });
  const send = (path: string, body: unknown, idempotencyKey: string | null = randomUUID()): Promise<Answer> =>
    api.ask('POST', `/v1/ledger/transfers${path}`, { key, body, idempotencyKey });
  const read = async (path: string): Promise<Json> =>
    (await api.ask('GET', `/v1/ledger/${path}`, { key })).body;
  const made = async (path: string, body: object): Promise<string> => {
    const answer = await send(path, body);
    expect([path, answer.status, answer.body['code']]).toEqual([path, 201, undefined]);
    return String(answer.body['id']);
  };
  const faultsOf = ({ status, body }: Answer): unknown => {
    const { errors = [] } = body as { readonly errors?: readonly { readonly pointer: string }[] };
    return [status, body['code'], [...new Set(errors.map(({ pointer }) => pointer))]];
  };
  const invalid = (...pointers: string[]): unknown => [422, 'request.invalid', pointers];

  it('hold, post a part, reverse it, and say what became of each', async () => {
    const hold = await made('', transfer({ pending: true, timeoutSeconds: 60, effectiveDate: '2026-01-31' }));
    const post = await made(`/${hold}/post`, { amount: '40', metadata: { parcel: 1 } });
    const reversal = await made(`/${post}/reverse`, { effectiveDate: '2026-02-28' });
    expect(await read(`transfers/${hold}`)).toMatchObject({
      ...{ kind: 'hold', status: 'posted', endedById: post, amount: '100', effectiveDate: '2026-01-31' },
    });
    expect(await read(`transfers/${post}`)).toMatchObject({
      ...{ kind: 'post', status: 'posted', targetId: hold, reversedById: reversal, amount: '40' },
    });
    const listed = await read(`transfers?accountId=${wallet}&kind=reversal&effectiveFrom=2026-02-28`);
    expect(listed).toMatchObject({ data: [{ id: reversal, effectiveDate: '2026-02-28' }], nextCursor: null });
    const voided = await made('', transfer({ pending: true }));
    const answer = await send(`/${voided}/void`, undefined);
    expect(answer).toMatchObject({ status: 201, body: { kind: 'void', status: 'voided', targetId: voided } });
    expect(await send(`/${voided}/post`, {})).toMatchObject({
      status: 422,
      body: { code: 'ledger.hold_voided' },
    });
  });

  it('answer a repeated key the same, in every route', async () => {
    const hold = await made('', transfer({ pending: true }));
    const posted = await made('', transfer());
    for (const [path, body] of [
      [`/${hold}/post`, { amount: '60' }],
      [`/${posted}/reverse`, {}],
      ['', transfer({ balancing: 'credit', minBalanceAfter: { debit: '-5' } })],
    ] as const) {
      const same = randomUUID();
      const [first, again] = [await send(path, body, same), await send(path, body, same)];
      expect([again.status, again.body]).toEqual([first.status, { ...first.body, ...refusalOf(again) }]);
      expect(again.headers['idempotency-replayed']).toBe('true');
      const other = await send(path, { ...body, metadata: { other: true } }, same);
      expect(other).toMatchObject({ status: 422, body: { code: 'idempotency.key_reused' } });
      expect(await send(path, body, null)).toMatchObject({ status: 400 });
    }
  });

  it('move as much as is available, and keep a minimum', async () => {
    await made('', transfer({ amount: '30' }));
    const back = { debitAccountId: wallet, creditAccountId: cash };
    const low = await send('', transfer({ ...back, amount: '25', minBalanceAfter: { debit: '10' } }));
    expect(low).toMatchObject({ status: 422, body: { code: 'ledger.balance_below_minimum' } });
    const all = await send('', transfer({ ...back, amount: '9223372036854775807', balancing: 'debit' }));
    expect(all).toMatchObject({ status: 201, body: { amount: '30' } });
  });

  it('refuse every other form of an amount, a balance, a day and a time, at its place', async () => {
    const bad = {
      amount: ['0', '-1', '9223372036854775808', '1e3', '１２', '0.1', '01', '+1', '', ' 1', 5, null],
      minBalanceAfter: [
        ...['-0', '01', '1e3', '１２', '0.1', '9223372036854775808', '-9223372036854775808', 5].map(
          (debit) => ({
            debit,
          }),
        ),
        ...[{ colour: '1' }, 'x', []],
      ],
      timeoutSeconds: [0, -1, 1.5, 31_536_001, 1e15, '5', true],
      effectiveDate: [
        '2026-02-30',
        '20260201',
        '0000-01-01',
        '1899-12-31',
        '2200-01-01',
        '2026-01-01T00:00:00Z',
        5,
      ],
      balancing: ['DEBIT', '', true],
      pending: ['true', 1],
    };
    for (const [field, values] of Object.entries(bad)) {
      for (const value of values) {
        const answer = await send('', transfer({ pending: true, [field]: value }));
        expect([field, value, answer.status, answer.body['code']]).toEqual([
          field,
          value,
          422,
          'request.invalid',
        ]);
        expect(answer.body['errors']).toMatchObject([
          { pointer: expect.stringMatching(`^/${field}(?:/|$)`) },
        ]);
      }
    }
    const hold = await made('', transfer({ pending: true }));
    for (const amount of bad.amount.slice(0, -1))
      expect(faultsOf(await send(`/${hold}/post`, { amount }))).toEqual(invalid('/amount'));
    for (const effectiveDate of bad.effectiveDate)
      expect(faultsOf(await send(`/${hold}/reverse`, { effectiveDate }))).toEqual(invalid('/effectiveDate'));
    expect((await read('transfers'))['data']).toHaveLength(1);
  });

  it('take the outermost values exactly', async () => {
    const largest = '9223372036854775807';
    const minBalanceAfter = { debit: `-${largest}`, credit: largest };
    const answer = await send(
      '',
      transfer({ amount: largest, minBalanceAfter, pending: true, timeoutSeconds: 31_536_000 }),
    );
    // What is held is not yet free on the credited account.
    expect(answer).toMatchObject({ status: 422, body: { code: 'ledger.balance_below_minimum' } });
    const held = await made(
      '',
      transfer({ amount: largest, pending: true, minBalanceAfter: { credit: '0' } }),
    );
    const posted = await send(`/${held}/post`, { amount: largest });
    expect(posted).toMatchObject({ status: 201, body: { amount: largest } });
  });

  it('refuse fields that there are not, of each body', async () => {
    const hold = await made('', transfer({ pending: true }));
    expect(faultsOf(await send('', transfer({ linked: false })))).toEqual(invalid('/linked'));
    expect(faultsOf(await send(`/${hold}/post`, { pending: false }))).toEqual(invalid('/pending'));
    expect(faultsOf(await send(`/${hold}/void`, { amount: '1' }))).toEqual(invalid('/amount'));
    expect(faultsOf(await send(`/${hold}/reverse`, { amount: '1' }))).toEqual(invalid('/amount'));
    expect(faultsOf(await send('/x/void', {}))).toEqual(invalid('/id'));
    const listed = await api.ask('GET', '/v1/ledger/transfers?status=open&from=2026&colour=red', {
      key,
    });
    expect(faultsOf(listed)).toEqual(invalid('/status', '/from', '/colour'));
  });

  describe('in batches', () => {
    const item = (more: object = {}): object => ({ id: randomUUID(), ...transfer(), ...more });
    const batch = async (...items: object[]): Promise<unknown> => {
      const answer = await send(':batch', { items }, null);
      if (answer.status !== 200) return faultsOf(answer);
      return (answer.body['results'] as { result: string }[]).map(({ result }) => result);
    };

    it('are done whole chains or not at all, whatever their kind', async () => {
      const [hold, posted] = [randomUUID(), randomUUID()];
      const ends = { kind: 'post', targetId: hold };
      expect(
        await batch(
          item({ id: hold, pending: true, linked: true }),
          item({ id: posted }),
          { id: randomUUID(), ...ends, amount: '101', linked: true },
          { id: randomUUID(), kind: 'reversal', targetId: posted },
          { id: randomUUID(), kind: 'void', targetId: hold },
        ),
      ).toEqual(['created', 'created', 'ledger.exceeds_hold', 'ledger.linked_item_failed', 'created']);
    });

    it('are refused as a whole where their form is wrong', async () => {
      expect(await batch(item({ linked: true }))).toEqual(invalid('/items/0/linked'));
      expect(await batch(item(), item({ amount: '1e3' }))).toEqual(invalid('/items/1/amount'));
      expect(await batch(item({ colour: 'red' }))).toEqual(invalid('/items/0/colour'));
      expect(await batch(item({ kind: 'expiry' }))).toEqual(invalid('/items/0/kind'));
      expect(await batch({ id: randomUUID(), kind: 'void' })).toEqual(invalid('/items/0/targetId'));
      const long = [...Array.from({ length: 2_000 }, () => item({ linked: true })), item()];
      expect(await batch(...long)).toEqual(invalid('/items/2000/linked'));
      expect(await batch(...Array.from({ length: 8_001 }, () => item()))).toEqual(invalid('/items'));
      expect(await batch()).toEqual(invalid('/items'));
      expect((await read('transfers'))['data']).toEqual([]);
    });

    it('post an id once, also twice in one batch, and tell what differs', async () => {
      const once = item();
      const other = { ...once, amount: '7' };
      const different = 'ledger.exists_with_different_amount';
      expect(await batch(once, once, other)).toEqual(['created', 'exists', different]);
      expect(await batch(other, once)).toEqual([different, 'exists']);
      expect((await read('transfers'))['data']).toHaveLength(1);
    });

    it('take the longest chain there is', async () => {
      const chain = Array.from({ length: 2_000 }, (_, index) => item({ linked: index < 1_999 }));
      const results = (await batch(item(), ...chain)) as string[];
      expect([results.length, new Set(results)]).toEqual([2_001, new Set(['created'])]);
    });
  });

  it('take effect once and are answered the same by two processes that are asked at once', async () => {
    const pod = await api.pod();
    const asked = { key, body: transfer({ id: randomUUID() }) };
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 ? pod : api).ask('POST', '/v1/ledger/transfers', asked),
      ),
    );
    await pod.close();
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers['idempotency-replayed'] === undefined)).toHaveLength(1);
    expect(await read(`accounts/${cash}`)).toMatchObject({ version: '1', balances: { postedDebits: '100' } });
  });

  it('do the same over GraphQL, with the same codes', async () => {
    const ask = async (name: string, type: string, id: string, input: object): Promise<Json> => {
      const query = `mutation ($id: ID!, $input: ${type}!, $key: String!) {
        ${name}(id: $id, input: $input, idempotencyKey: $key) { id kind status amount targetId } }`;
      const { body } = await api.graphql(key, query, { id, input, key: randomUUID() });
      const { data, errors } = body as { data: Record<string, Json> | null; errors?: { extensions: Json }[] };
      return data?.[name] ?? errors?.[0]?.extensions ?? {};
    };
    const hold = await made('', transfer({ pending: true }));
    const posted = await ask('postHold', 'PostHoldInput', hold, { amount: '40' });
    expect(posted).toMatchObject({ kind: 'post', status: 'posted', amount: '40', targetId: hold });
    expect(await ask('voidHold', 'VoidHoldInput', hold, {})).toMatchObject({ code: 'ledger.hold_posted' });
    expect(await ask('postHold', 'PostHoldInput', hold, { amount: '1e3' })).toMatchObject({
      ...{ code: 'request.invalid', errors: [{ pointer: '/input/amount' }] },
    });
    const reversed = await ask('reverseTransfer', 'ReverseTransferInput', String(posted['id']), {});
    expect(reversed).toMatchObject({ kind: 'reversal', targetId: posted['id'] });
    const query = `query ($id: ID!) { transfer(id: $id) { status endedById debitAccount { code } } }`;
    expect((await api.graphql(key, query, { id: hold })).body).toMatchObject({
      data: { transfer: { status: 'posted', endedById: posted['id'], debitAccount: { code: 'cash' } } },
    });
  });

  it('are read with their accounts in two statements, however many there are, and accounts with entries in one a level', async () => {
    for (let count = 0; count < 5; count += 1) await made('', transfer());
    // Not what is written meanwhile: refusals are told of a second behind their answers.
    const tenants = api.app.get(TenantDatabase);
    const spies = [jest.spyOn(tenants, 'reading'), jest.spyOn(tenants, 'rows')];
    const counted = async (query: string): Promise<[number, string]> => {
      for (const spy of spies) spy.mockClear();
      const { text } = await api.graphql(key, query);
      expect(text).not.toContain('"errors"');
      return [spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0), text];
    };
    const accounts = 'debitAccount { code } creditAccount { code }';
    const [statements, text] = await counted(`{ transfers(first: 5) { edges { node { id ${accounts} } } } }`);
    expect([statements, text.split('"wallet"').length]).toEqual([2, 6]);
    const entries = 'entries(first: 3) { edges { node { transfer { id } } } }';
    const [levels, shown] = await counted(`{ accounts { edges { node { code ${entries} } } } }`);
    expect([levels, shown.split('"transfer"').length]).toEqual([3, 7]);
    // One statement reads no more than 5,000 entries.
    for (let count = 0; count < 24; count += 1) await api.account(key, `more-${count}`);
    expect(
      (await counted('{ accounts { edges { node { entries(first: 200) { edges { cursor } } } } } }'))[0],
    ).toBe(3);
    for (const spy of spies) spy.mockRestore();
  });
});

/** What differs between a refusal and its repetition: whose request it is. */
function refusalOf({ status, body }: Answer): object {
  return status < 400 ? {} : { requestId: body['requestId'], instance: body['instance'] };
}
