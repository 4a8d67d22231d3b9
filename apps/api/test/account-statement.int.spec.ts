import { randomUUID } from 'node:crypto';
import { type Answer, TestApi } from './test-api';

/** JSON of many shapes: which, the assertions say. */
type Json = ReturnType<typeof JSON.parse>;

const HOSTILE = '=HYPERLINK("http://x")<script>alert(1)</script>';

describe('The statement of an account', () => {
  let api: TestApi;
  let key: string;
  let cash: string;
  let sales: string;

  beforeAll(async () => {
    api = await TestApi.start();
    ({ key } = await api.largeTenant());
    cash = await api.account(key, HOSTILE, { normalBalance: 'debit' });
    sales = await api.account(key, 'sales');
    await post(1, 25);
  });
  afterAll(() => api.close());

  /** Transfers of so many cents; in batches, so that several entries have one instant. */
  async function post(from: number, to: number): Promise<void> {
    const items = Array.from({ length: to - from + 1 }, (_, index) => ({
      id: randomUUID(),
      ...((from + index) % 5 === 0
        ? { debitAccountId: sales, creditAccountId: cash }
        : { debitAccountId: cash, creditAccountId: sales }),
      amount: String(from + index),
      metadata: { note: `no. ${from + index}, "quoted"` },
    }));
    const half = Math.ceil(items.length / 2);
    for (const part of [items.slice(0, half), items.slice(half)])
      await api.ask('POST', '/v1/ledger/transfers:batch', {
        key,
        body: { items: part },
        idempotencyKey: null,
      });
  }

  const read = (query = '', headers = {}, id = cash): Promise<Answer> =>
    api.ask('GET', `/v1/ledger/accounts/${id}/statement?${query}`, { key, headers });
  const json = async (query = ''): Promise<Json> => (await read(query)).body;

  async function pages(query: string, meanwhile = async (): Promise<void> => {}): Promise<Json[]> {
    const all = [await json(query)];
    await meanwhile();
    while (all.at(-1).nextCursor) all.push(await json(`${query}&after=${all.at(-1).nextCursor}`));
    return all;
  }

  /** Debits less credits of the first 25: every fifth went the other way. */
  const balance = Array.from({ length: 25 }, (_, index) => index + 1).reduce(
    (sum, cents) => (cents % 5 === 0 ? sum - cents : sum + cents),
    0,
  );

  it('opens, lists and closes, in pages that join up, whatever is booked meanwhile', async () => {
    const all = await pages('limit=7', () => post(26, 30));
    expect(all.map(({ data }) => data.length)).toEqual([7, 7, 7, 4]);
    expect(all.flatMap(({ data }) => data.map((entry: Json) => entry.version))).toEqual(
      Array.from({ length: 25 }, (_, index) => String(index + 1)),
    );
    const [first] = all;
    for (const { opening, closing, totals, from, to } of all)
      expect({ opening, closing, totals, from, to }).toEqual({
        opening: first.opening,
        closing: first.closing,
        totals: first.totals,
        from: first.from,
        to: first.to,
      });
    expect(first).toMatchObject({
      opening: { version: '0', balance: '0' },
      closing: { version: '25', balance: String(balance) },
      totals: { entries: '25', postedCredits: '75', postedDebits: String(balance + 75) },
    });
    expect(all[0].pageOpening).toEqual(first.opening);
    for (const [index, page] of all.entries())
      expect(page.pageClosing).toEqual(all[index + 1]?.pageOpening ?? first.closing);
  });

  it('is of a half-open time, so that two of them join up', async () => {
    const { data } = await json('limit=25');
    const middle = data[12].bookedAt;
    const [before, after] = [await json(`to=${middle}&limit=200`), await json(`from=${middle}&limit=200`)];
    expect(before.data.every(({ bookedAt }: Json) => bookedAt < middle)).toBe(true);
    expect(after.data.every(({ bookedAt }: Json) => bookedAt >= middle)).toBe(true);
    expect(before.data.length + after.data.length).toBe(Number(after.closing.version));
    expect(after.opening).toEqual(before.closing);
    expect(await json('from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z')).toMatchObject({
      opening: { version: '0' },
      closing: { version: '0' },
      data: [],
    });
  });

  it('refuses cursors of another statement, and times that are none', async () => {
    const { nextCursor } = await json('limit=1');
    const codeOf = async (query: string, id = cash): Promise<unknown> => {
      const { body } = await read(query, {}, id);
      return [body['code'], ...((body['errors'] ?? []) as Json[]).map(({ pointer }) => pointer)];
    };
    expect(await codeOf(`after=${nextCursor}&from=2020-01-01T00:00:00Z`)).toEqual(['request.cursor_invalid']);
    expect(await codeOf(`after=${nextCursor}`, sales)).toEqual(['request.cursor_invalid']);
    expect(await codeOf('from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z')).toEqual([
      'request.invalid',
      '/to',
    ]);
    expect(await codeOf('from=2199-01-01T00:00:00Z')).toEqual(['request.invalid', '/from']);
    expect(await codeOf(`format=csv&after=${nextCursor}`)).toEqual(['request.invalid', '/after']);
    expect(await codeOf('', randomUUID())).toEqual(['resource.not_found']);
  });

  it('is CSV that no spreadsheet computes, with all entries however many a page has', async () => {
    const { entries } = (await json()).totals;
    for (const answer of [await read('limit=2', { accept: 'text/csv' }), await read('format=csv')]) {
      expect(answer.headers['content-type']).toContain('text/csv');
      expect(answer.headers['content-disposition']).toMatch(
        /^attachment; filename="statement-[0-9a-f-]{36}-\d{4}-\d\d-\d\d-\d{4}-\d\d-\d\d\.csv"$/,
      );
      const rows = answer.text.split('\r\n');
      expect(rows).toHaveLength(Number(entries) + 4);
      expect(rows[0]).toMatch(/^account,version,booked_at,/);
      expect(rows[1]).toContain(',opening,,,0.00,');
      expect(rows[2]).toMatch(/^"'=HYPERLINK\(""http:\/\/x""\)<script>/);
      expect(rows[2]).toMatch(/,transfer,debit,0\.01,0\.01,0\.01,0\.00,0\.00,0\.00,sales,/);
      expect(rows[2]).toContain(String.raw`"{""note"":""no. 1, \""quoted\""""}"`);
      expect(rows.at(-2)).toContain(',closing,');
    }
  });

  it('is a page to print that runs nothing and loads nothing', async () => {
    const { headers, text, status } = await read('', { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' });
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'/,
    );
    expect(text).not.toMatch(/<script|http:\/\/x"|src=|href=/);
    expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(text).toContain('Opening balance');
    expect(text).toContain('<td class="number">0.01</td>');
  });

  it('is the same over GraphQL', async () => {
    const query = `query ($id: ID!, $after: String) { accountStatement(accountId: $id, first: 10, after: $after) {
      closing { version balance balances { postedDebits } } totals { entries } pageOpening { version }
      entries { edges { node { version kind balance counterpartyCode } } pageInfo { hasNextPage endCursor } } } }`;
    const first: Json = (await api.graphql(key, query, { id: cash })).body['data'];
    const { closing, entries } = first.accountStatement;
    expect(closing).toMatchObject({ version: (await json()).closing.version });
    expect(entries.edges[0].node).toEqual({
      version: '1',
      kind: 'transfer',
      balance: '1',
      counterpartyCode: 'sales',
    });
    const { endCursor: after } = entries.pageInfo;
    const second: Json = (await api.graphql(key, query, { id: cash, after })).body['data'];
    expect(second.accountStatement.pageOpening).toEqual({ version: '10' });
  });
});
