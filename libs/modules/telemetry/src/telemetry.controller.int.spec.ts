import { type Caller, newId } from '@holdfast/kernel';
import { TelemetryStore } from '@holdfast/clickhouse';
import { MessagesModule } from '@holdfast/cqrs';
import { createHttpApplication, graphqlModule, requestOf } from '@holdfast/http';
import { createLogger, Health } from '@holdfast/observability';
import { TestClickHouse, TestDatabase } from '@holdfast/testing';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ClickHouseConsumer } from './clickhouse-consumer';
import { TelemetryModule } from './telemetry.module';

const tenantId = newId();
const caller: Caller = {
  grant: '',
  tenantId,
  actor: 'key:test',
  scopes: ['telemetry:read'],
  plan: 'standard',
  requestId: newId(),
};

describe('Telemetry over HTTP', () => {
  let database: TestDatabase;
  let clickHouse: TestClickHouse;
  let store: TelemetryStore;
  let app: NestFastifyApplication;

  async function start(over: TelemetryStore): Promise<NestFastifyApplication> {
    // Identity turns credentials into callers; here the credential says which of three it is.
    const guard: CanActivate = {
      canActivate: (context: ExecutionContext) => {
        const request = requestOf(context);
        const other = { ...caller, tenantId: newId() };
        request.caller = { caller, other, nobody: { ...caller, scopes: [] } }[
          String(request.headers.authorization)
        ]!;
        return true;
      },
    };
    const reading = TelemetryModule.forRoot(over);
    const module = {
      ...reading,
      imports: [MessagesModule.forRoot(database.tenants(1)), graphqlModule({ graphiql: false })],
      providers: [...(reading.providers ?? []), { provide: APP_GUARD, useValue: guard }],
    };
    const logger = createLogger({ app: 'test', level: 'silent' });
    return createHttpApplication(module, { logger, health: new Health(), version: '0' });
  }

  beforeAll(async () => {
    database = await TestDatabase.create();
    clickHouse = await TestClickHouse.open('chdb');
    store = new TelemetryStore(clickHouse.endpoint);
    app = await start(store);
    const events = [1, 2, 3].map((n) => ({
      seq: BigInt(n),
      id: newId(),
      tenantId,
      streamType: 'test.bell',
      streamId: newId(),
      streamVersion: 1n,
      type: 'test.bell.rung',
      schemaVersion: 1,
      actor: 'key:test',
      act: null,
      correlationId: newId(),
      causationId: null,
      traceparent: null,
      occurredAt: `2026-11-20T10:0${n}:00.000000Z`,
      data: { times: n },
    }));
    await new ClickHouseConsumer(store).deliver(events, newId());
  });
  afterAll(async () => {
    await app.close();
    await store.close();
    await clickHouse.close();
    await database.drop();
  });

  const get = async (url: string, as = 'caller', of = app) => {
    const response = await of.inject({ url, headers: { authorization: as } });
    return { status: response.statusCode, headers: response.headers, body: response.json() };
  };
  const graphql = async (query: string, as = 'caller') => {
    const response = await app.inject({
      method: 'POST',
      url: '/graphql',
      headers: { authorization: as },
      payload: { query },
    });
    return response.json();
  };

  it('pages, and shows another tenant nothing', async () => {
    const first = await get('/v1/telemetry/events?limit=2&type=test.bell.rung');
    expect(first).toMatchObject({
      status: 200,
      body: { data: [{ data: { times: 3 } }, { data: { times: 2 } }] },
    });
    const second = await get(`/v1/telemetry/events?limit=2&after=${first.body.nextCursor}`);
    expect(second).toMatchObject({ status: 200, body: { data: [{ data: { times: 1 } }], nextCursor: null } });
    expect((await get('/v1/telemetry/events', 'other')).body).toEqual({ data: [], nextCursor: null });
    expect((await get(`/v1/telemetry/events?after=${first.body.nextCursor}`, 'other')).status).toBe(400);
  });

  it('counts', async () => {
    const range = 'from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z';
    const { body } = await get(`/v1/telemetry/series?event=test.bell.rung&interval=hour&${range}`);
    expect(body).toEqual({ data: [{ at: '2026-11-20T10:00:00Z', count: 3 }] });
    const query = `{ telemetrySeries(event: "test.bell.rung", from: "2026-11-20T00:00:00Z", to: "2026-11-21T00:00:00Z") { at count } }`;
    expect(await graphql(query)).toEqual({ data: { telemetrySeries: body.data } });
    expect(await graphql(query, 'other')).toEqual({ data: { telemetrySeries: [] } });
  });

  it.each([
    ['events?colour=red', 422, 'request.invalid'],
    ['events?type=%00', 422, 'request.invalid'],
    ['events?from=today', 422, 'request.invalid'],
    ['events?after=forged', 400, 'request.cursor_invalid'],
    ['series', 422, 'request.invalid'],
    ['series?event=a&interval=week', 422, 'request.invalid'],
    ['series?event=a&interval=minute&from=2020-01-01T00:00:00Z', 422, 'telemetry.range_too_long'],
    ['series?event=a&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 422, 'telemetry.range_inverted'],
    ['top?by=secret', 422, 'request.invalid'],
    ['top?from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z', 422, 'telemetry.range_too_long'],
    ['users?kind=domain', 422, 'request.invalid'],
    ['users?interval=day&from=2025-01-01T00:00:00Z', 422, 'telemetry.range_too_long'],
    ['funnels?steps=a,b,a', 422, 'request.invalid'],
    ['funnels?steps=a,b,c,d,e,f,g,h,i,j,k', 422, 'request.invalid'],
    ['ingest?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 422, 'telemetry.range_inverted'],
  ])('refuses %s', async (rest, status, code) => {
    expect(await get(`/v1/telemetry/${rest}`)).toMatchObject({ status, body: { code } });
  });

  it('takes the scope telemetry:read', async () => {
    expect(await get('/v1/telemetry/events', 'nobody')).toMatchObject({
      status: 403,
      body: { code: 'auth.forbidden' },
    });
    expect(await get('/v1/telemetry/series?event=a', 'nobody')).toMatchObject({ status: 403 });
  });

  it('answers the same over GraphQL', async () => {
    const fields =
      'id kind type at stream { type id version } userId anonymousId groupId actor act requestId traceparent data context';
    const query = `{ telemetryEvents(first: 2, type: null) { edges { cursor node { ${fields} } } pageInfo { hasNextPage endCursor } } }`;
    const { data } = await graphql(query);
    const rest = await get('/v1/telemetry/events?limit=2');
    expect(data.telemetryEvents.edges.map((edge: { node: unknown }) => edge.node)).toEqual(rest.body.data);
    expect(data.telemetryEvents.pageInfo).toEqual({ hasNextPage: true, endCursor: rest.body.nextCursor });
    expect((await graphql(query, 'other')).data.telemetryEvents.edges).toEqual([]);
  });

  it('answers every figure the same over GraphQL', async () => {
    const range = 'from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z';
    const args = 'from: "2026-11-20T00:00:00Z", to: "2026-11-21T00:00:00Z"';
    const { data } = await graphql(`{
      telemetryTop(by: "properties.times", ${args}) { value count }
      telemetryUsers(${args}) { users data { at users } }
      telemetryFunnel(steps: ["test.bell.rung", "a,b"], ${args}) { step users }
      telemetryIngest(${args}) { data { lane outcome reason count } badRows { id at keyId reason sample } }
    }`);
    const rest = await Promise.all(
      [
        `top?by=properties.times&${range}`,
        `users?${range}`,
        `funnels?steps=test.bell.rung,a%5C,b&${range}`,
        `ingest?${range}`,
      ].map(async (path) => (await get(`/v1/telemetry/${path}`)).body),
    );
    expect(data.telemetryTop).toEqual(rest[0].data);
    expect(data.telemetryTop).toHaveLength(3);
    expect(data.telemetryUsers).toEqual(rest[1]);
    expect(data.telemetryFunnel).toEqual(rest[2].data);
    expect(data.telemetryFunnel[1]).toEqual({ step: 2, users: 0 });
    expect(data.telemetryIngest).toEqual(rest[3]);
  });

  it('answers 503 with Retry-After while the store is away', async () => {
    const away = new TelemetryStore({ url: 'http://127.0.0.1:1' });
    const without = await start(away);
    const { status, headers, body } = await get('/v1/telemetry/events', 'caller', without);
    expect([status, headers['retry-after'], body.code]).toEqual([503, '2', 'telemetry.unavailable']);
    expect(JSON.stringify(body)).not.toMatch(/ECONNREFUSED|127\.0\.0\.1/);
    await without.close();
    await away.close();
  });
});
