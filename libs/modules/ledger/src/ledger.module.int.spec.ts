import { type Caller, newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { createHttpApplication, graphqlModule } from '@holdfast/http';
import { createLogger, Health } from '@holdfast/observability';
import { TestDatabase } from '@holdfast/testing';
import { type CanActivate, type ExecutionContext, Injectable, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { GqlExecutionContext } from '@nestjs/graphql';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { LedgerModule } from './ledger.module';

/** JSON of many shapes: which, the assertions say. */
type Json = ReturnType<typeof JSON.parse>;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Json;
}

let caller: Caller;

/** Stands in for the guard of the identity module, which this module does not know. */
@Injectable()
class CallerGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const isGraphql = context.getType<string>() === 'graphql';
    const request = isGraphql
      ? GqlExecutionContext.create(context).getContext().reply.request
      : context.switchToHttp().getRequest();
    request.caller = caller;
    return true;
  }
}

@Module({})
class LedgerApplication {}

describe('The ledger over HTTP', () => {
  let database: TestDatabase;
  let app: NestFastifyApplication;

  beforeAll(async () => {
    database = await TestDatabase.create();
    const module = {
      module: LedgerApplication,
      imports: [MessagesModule.forRoot(database.tenants()), LedgerModule, graphqlModule({ graphiql: false })],
      providers: [{ provide: APP_GUARD, useClass: CallerGuard }],
    };
    const logger = createLogger({ level: 'silent', name: 'test' } as never);
    app = await createHttpApplication(module, { logger, health: new Health(), version: '0.0.0' });
  });
  beforeEach(async () => {
    caller = await database.caller();
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  async function send(
    method: 'GET' | 'POST',
    url: string,
    payload?: object,
    key: string | null = newId(),
  ): Promise<Answer> {
    const headers = method === 'POST' && key !== null ? { 'idempotency-key': key } : {};
    const response = await app.inject({ method, url, headers, ...(payload && { payload }) });
    return { status: response.statusCode, headers: response.headers, body: response.json() };
  }

  const open = async (fields: object = {}): Promise<string> => {
    const account = { code: newId(), asset: 'EUR/2', normalBalance: 'debit', ...fields };
    return (await send('POST', '/v1/ledger/accounts', account)).body.id;
  };

  const graphql = async (query: string, variables: object): Promise<Json> =>
    (await send('POST', '/graphql', { query, variables })).body;

  it('opens accounts, moves money between them, and shows it from every side', async () => {
    const opened = await send('POST', '/v1/ledger/accounts', {
      code: 'cash',
      asset: 'EUR/2',
      normalBalance: 'debit',
    });
    expect(opened).toMatchObject({
      status: 201,
      body: { code: 'cash', limit: 'none', version: '0', closedAt: null },
    });
    const [cash, sales] = [opened.body.id, await open()];
    const transfer = {
      debitAccountId: cash,
      creditAccountId: sales,
      amount: '9223372036854775807',
      metadata: { note: 'a' },
    };
    const posted = await send('POST', '/v1/ledger/transfers', transfer);
    expect(posted).toMatchObject({
      status: 201,
      body: { ...transfer, status: 'posted', asset: 'EUR/2', debitVersion: '1' },
    });

    expect((await send('GET', `/v1/ledger/transfers/${posted.body.id}`)).body).toEqual(posted.body);
    expect((await send('GET', '/v1/ledger/transfers')).body).toEqual({
      data: [posted.body],
      nextCursor: null,
    });
    expect((await send('GET', `/v1/ledger/accounts/${cash}`)).body).toMatchObject({
      id: cash,
      version: '1',
      balances: {
        postedDebits: transfer.amount,
        postedCredits: '0',
        pendingDebits: '0',
        pendingCredits: '0',
      },
    });
    expect((await send('GET', `/v1/ledger/accounts/${sales}/entries`)).body.data).toEqual([
      {
        version: '1',
        kind: 'transfer',
        direction: 'credit',
        amount: transfer.amount,
        counterpartyAccountId: cash,
        transferId: posted.body.id,
        balancesAfter: {
          postedDebits: '0',
          postedCredits: transfer.amount,
          pendingDebits: '0',
          pendingCredits: '0',
        },
        effectiveDate: posted.body.bookedAt.slice(0, 10),
        metadata: { note: 'a' },
        bookedAt: posted.body.bookedAt,
      },
    ]);
    expect((await send('GET', '/v1/ledger/trial-balance')).body).toMatchObject({
      data: [
        {
          asset: 'EUR/2',
          postedDebits: transfer.amount,
          postedCredits: transfer.amount,
          accounts: 2,
          balanced: true,
        },
      ],
    });
  });

  it('pages through accounts, entries and transfers without losing or repeating any', async () => {
    const [cash, sales] = [await open(), await open()];
    const items = Array.from({ length: 7 }, (_, index) => ({
      id: newId(),
      ...(index % 2
        ? { debitAccountId: cash, creditAccountId: sales }
        : { debitAccountId: sales, creditAccountId: cash }),
      amount: String(index + 1),
    }));
    await send('POST', '/v1/ledger/transfers:batch', { items }, null);
    const walk = async (url: string): Promise<Json[]> => {
      const { data, nextCursor } = (await send('GET', url)).body;
      const next = new URL(url, 'http://localhost');
      next.searchParams.set('after', nextCursor);
      return nextCursor ? [...data, ...(await walk(next.pathname + next.search))] : data;
    };
    expect((await walk('/v1/ledger/accounts?limit=1')).map(({ id }) => id)).toEqual([sales, cash]);
    const entries = await walk(`/v1/ledger/accounts/${cash}/entries?limit=2`);
    expect(entries.map(({ version, amount }) => [version, amount])).toEqual(
      [7, 6, 5, 4, 3, 2, 1].map((version) => [String(version), String(version)]),
    );
    const transfers = await walk('/v1/ledger/transfers?limit=3');
    expect(transfers.map(({ id }) => id)).toEqual(
      items
        .map(({ id }) => id)
        .toSorted()
        .toReversed(),
    );
    const forged = Buffer.from(JSON.stringify(['x', 'infinity', newId()])).toString('base64url');
    expect((await send('GET', `/v1/ledger/transfers?after=${forged}`)).body.code).toBe(
      'request.cursor_invalid',
    );
  });

  it('answers a repeated key the same, with a header that says so, and another body under it with 422', async () => {
    const transfer = { debitAccountId: await open(), creditAccountId: await open(), amount: '5' };
    const key = newId();
    const first = await send('POST', '/v1/ledger/transfers', transfer, key);
    const second = await send('POST', '/v1/ledger/transfers', transfer, key);
    expect(second).toMatchObject({
      status: 201,
      body: first.body,
      headers: { 'idempotency-replayed': 'true' },
    });
    expect(first.headers).not.toHaveProperty('idempotency-replayed');
    const reused = await send('POST', '/v1/ledger/transfers', { ...transfer, amount: '6' }, key);
    expect(reused).toMatchObject({ status: 422, body: { code: 'idempotency.key_reused' } });
    const account = { code: 'a', asset: 'EUR/2', normalBalance: 'debit' };
    expect(await send('POST', '/v1/ledger/accounts', account, key)).toMatchObject({ status: 201 });
    expect(await send('POST', '/v1/ledger/accounts', account)).toMatchObject({
      status: 409,
      body: { code: 'ledger.code_taken' },
    });
  });

  const mutation =
    'mutation ($input: PostTransferInput!, $key: String!) { postTransfer(input: $input, idempotencyKey: $key) { id } }';

  /** Posts over REST, and the same again over GraphQL: what both say. */
  const postBoth = async (input: object, key: string): Promise<Json> => {
    const { status, body } = await send('POST', '/v1/ledger/transfers', input, key);
    const { data, errors } = await graphql(mutation, { input, key });
    expect(data?.postTransfer ?? errors[0].extensions.code).toEqual(
      status === 201 ? { id: body.id } : body.code,
    );
    return status === 201 ? 201 : [status, body.code];
  };

  it('remembers a key that came with a known id, over REST and GraphQL', async () => {
    const known = { debitAccountId: await open(), creditAccountId: await open(), amount: '1', id: newId() };
    const { id: _, ...unnamed } = known;
    const [first, second, third] = [newId(), newId(), newId()];
    const reused = [422, 'idempotency.key_reused'];
    const different = [422, 'ledger.exists_with_different_amount'];
    expect(await postBoth(known, first)).toBe(201);
    expect(await postBoth(known, second)).toBe(201);
    expect(await postBoth({ ...unnamed, amount: '999' }, second)).toEqual(reused);
    expect(await postBoth({ ...known, amount: '2' }, third)).toEqual(different);
    expect(await postBoth({ ...known, amount: '2' }, third)).toEqual(different);
    expect(await postBoth({ ...unnamed, amount: '3' }, third)).toEqual(reused);
    expect(await postBoth(known, second)).toBe(201);
    expect((await send('GET', '/v1/ledger/transfers')).body.data).toHaveLength(1);
  });

  it('refuses by code, and other tenants like unknown ids', async () => {
    const [wallet, sales] = [await open({ limit: 'debits_must_not_exceed_credits' }), await open()];
    const spend = { debitAccountId: wallet, creditAccountId: sales, amount: '1' };
    expect(await send('POST', '/v1/ledger/transfers', spend)).toMatchObject({
      status: 422,
      body: { code: 'ledger.exceeds_credits' },
    });
    caller = await database.caller();
    const foreign = await send('POST', '/v1/ledger/transfers', spend);
    expect(foreign).toMatchObject({ status: 404, body: { code: 'ledger.account_not_found' } });
    for (const path of [`accounts/${wallet}`, `accounts/${wallet}/entries`, `transfers/${newId()}`]) {
      expect(await send('GET', `/v1/ledger/${path}`)).toMatchObject({
        status: 404,
        body: { code: 'resource.not_found' },
      });
    }
  });

  it.each([
    ['an amount that is not digits', { amount: '1e3' }, '/amount'],
    ['an amount above 2^63-1', { amount: '9223372036854775808' }, '/amount'],
    ['a number as amount', { amount: 5 }, '/amount'],
    ['a timeout of no hold', { timeoutSeconds: 5 }, '/timeoutSeconds'],
    ['a day that is none', { effectiveDate: '2026-02-30' }, '/effectiveDate'],
    ['an unknown field', { colour: 'red' }, '/colour'],
    ['an id that is none', { debitAccountId: 'x' }, '/debitAccountId'],
    ['metadata that is too long', { metadata: { note: 'x'.repeat(5_000) } }, '/metadata'],
  ])('names the field of %s', async (_, change, pointer) => {
    const transfer = {
      debitAccountId: newId(),
      creditAccountId: newId(),
      amount: '5',
      pending: false,
      timeoutSeconds: null,
    };
    const { status, body } = await send('POST', '/v1/ledger/transfers', { ...transfer, ...change });
    expect([status, body.code, body.errors.map((fault: { pointer: string }) => fault.pointer)]).toEqual([
      422,
      'request.invalid',
      [pointer],
    ]);
  });

  it('asks for an idempotency key', async () => {
    const answer = await send('POST', '/v1/ledger/transfers', {}, null);
    expect(answer).toMatchObject({ status: 400, body: { code: 'idempotency.key_missing' } });
  });

  it('takes a batch of 8,000 items, one result each, in a body of more than 1 MiB', async () => {
    const [cash, sales] = [await open(), await open()];
    const items = Array.from({ length: 8_000 }, () => ({
      id: newId(),
      debitAccountId: cash,
      creditAccountId: sales,
      amount: '1',
      linked: false,
    }));
    items[5] = { ...items[5]!, creditAccountId: cash };
    const { status, body } = await send('POST', '/v1/ledger/transfers:batch', { items }, null);
    expect(status).toBe(200);
    expect(body.results.map(({ id }: { id: string }) => id)).toEqual(items.map(({ id }) => id));
    expect(body.results[5].result).toBe('ledger.accounts_must_differ');
    expect(body.results.filter(({ result }: { result: string }) => result === 'created')).toHaveLength(7_999);
    const again = await send('POST', '/v1/ledger/transfers:batch', { items: items.slice(4, 6) }, null);
    expect(again.body.results.map(({ result }: { result: string }) => result)).toEqual([
      'exists',
      'ledger.accounts_must_differ',
    ]);
  });

  it('serves the same over GraphQL', async () => {
    const openAccount = `mutation ($input: OpenAccountInput!, $key: String!) { openAccount(input: $input, idempotencyKey: $key) { id version balances { postedDebits } } }`;
    const account = async (code: string): Promise<string> => {
      const { data } = await graphql(openAccount, {
        input: { code, asset: 'EUR/2', normalBalance: 'debit' },
        key: newId(),
      });
      return data.openAccount.id;
    };
    const [cash, sales] = [await account('cash'), await account('sales')];
    const post = `mutation ($input: PostTransferInput!, $key: String!) { postTransfer(input: $input, idempotencyKey: $key) { id amount status metadata } }`;
    const input = { debitAccountId: cash, creditAccountId: sales, amount: '12', metadata: { note: 'a' } };
    const posted = (await graphql(post, { input, key: newId() })).data.postTransfer;
    expect(posted).toMatchObject({ amount: '12', status: 'posted', metadata: { note: 'a' } });
    const read = `query ($id: ID!) {
      account(id: $id) { version entries(first: 1) { edges { node { amount direction transferId } } pageInfo { hasNextPage } } }
      transfers { edges { node { id } } } accounts(first: 1) { pageInfo { hasNextPage } } trialBalance { asset balanced }
    }`;
    expect((await graphql(read, { id: cash })).data).toEqual({
      account: {
        version: '1',
        entries: {
          edges: [{ node: { amount: '12', direction: 'debit', transferId: posted.id } }],
          pageInfo: { hasNextPage: false },
        },
      },
      transfers: { edges: [{ node: { id: posted.id } }] },
      accounts: { pageInfo: { hasNextPage: true } },
      trialBalance: [{ asset: 'EUR/2', balanced: true }],
    });
    const refused = await graphql(post, { input: { ...input, creditAccountId: newId() }, key: newId() });
    expect(refused.errors[0].extensions.code).toBe('ledger.account_not_found');
  });

  it('stands in OpenAPI with its schemas', async () => {
    const { paths } = (await send('GET', '/openapi.json')).body;
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining(['/v1/ledger/accounts/{id}/entries', '/v1/ledger/transfers:batch']),
    );
    const { schema } = paths['/v1/ledger/transfers'].post.responses['201'].content['application/json'];
    expect(Object.keys(schema.properties)).toContain('bookedAt');
  });
});
