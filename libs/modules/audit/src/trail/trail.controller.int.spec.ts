import { type Caller, newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { createHttpApplication, graphqlModule, requestOf } from '@holdfast/http';
import { createLogger, Health } from '@holdfast/observability';
import { announcement, eventType, type TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { z } from 'zod';
import { TestSealer } from '../../test/test-sealer';
import { AuditModule } from '../audit.module';

const OPENED = eventType('test.gate.opened', {
  version: 1,
  description: 'Opened.',
  schema: z.object({ by: z.string() }),
  example: { by: 'somebody' },
});

describe('The audit trail over HTTP', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let app: NestFastifyApplication;
  let caller: Caller;
  let other: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants();
    [caller, other] = [await database.caller(), await database.caller()];
    // Identity turns credentials into callers; here the credential is the caller's name.
    const guard: CanActivate = {
      canActivate: (context: ExecutionContext) => {
        const request = requestOf(context);
        request.caller = { caller, other, nobody: { ...caller, scopes: [] } }[
          String(request.headers.authorization)
        ]!;
        return true;
      },
    };
    const module = {
      module: AuditModule,
      imports: [MessagesModule.forRoot(tenants), graphqlModule({ graphiql: false })],
      providers: [{ provide: APP_GUARD, useValue: guard }],
    };
    const logger = createLogger({ app: 'test', level: 'silent' });
    app = await createHttpApplication(module, { logger, health: new Health(), version: '0' });
    for (let version = 1n; version <= 3n; version += 1n) {
      await tenants.transaction(caller, (tx) =>
        tx.announce(announcement(OPENED, { id: newId(), version: 1n }, { by: String(version) })),
      );
    }
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  const get = async (url: string, as = 'caller') => {
    const response = await app.inject({ url, headers: { authorization: as } });
    return { status: response.statusCode, body: response.json() };
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

  it('pages', async () => {
    const first = await get('/v1/audit/events?limit=2');
    expect(first).toMatchObject({
      status: 200,
      body: { data: [{ data: { by: '3' } }, { data: { by: '2' } }] },
    });
    const second = await get(`/v1/audit/events?limit=2&after=${first.body.nextCursor}`);
    expect(second).toMatchObject({ status: 200, body: { data: [{ data: { by: '1' } }], nextCursor: null } });
  });

  it('reads one event, and says the same of an unknown id and of another tenant’s', async () => {
    const { body } = await get('/v1/audit/events?limit=1');
    const { id } = body.data[0];
    expect(await get(`/v1/audit/events/${id}`)).toMatchObject({ status: 200, body: body.data[0] });
    const [foreign, unknown] = [
      await get(`/v1/audit/events/${id}`, 'other'),
      await get(`/v1/audit/events/${newId()}`, 'other'),
    ];
    expect(foreign).toMatchObject({ status: 404, body: { code: 'resource.not_found' } });
    const ofAnyRequest = { requestId: '', instance: '' };
    expect({ ...foreign.body, ...ofAnyRequest }).toEqual({ ...unknown.body, ...ofAnyRequest });
    expect((await get('/v1/audit/events', 'other')).body).toEqual({ data: [], nextCursor: null });
  });

  it.each([
    ['?colour=red', 422],
    ['?stream=test.gate', 422],
    ['?actor=%00', 422],
    ['?from=2026', 422],
    ['?after=forged', 400],
    ['/x', 422],
  ])('refuses %s', async (rest, status) => {
    expect(await get(`/v1/audit/events${rest}`)).toMatchObject({
      status,
      body: { code: expect.any(String) },
    });
  });

  it('takes the scope audit:read', async () => {
    expect(await get('/v1/audit/events', 'nobody')).toMatchObject({
      status: 403,
      body: { code: 'auth.forbidden' },
    });
    expect(await graphql('{ auditEvents { edges { cursor } } }', 'nobody')).toMatchObject({
      errors: [{ extensions: { code: 'auth.forbidden' } }],
    });
  });

  it('answers the same over GraphQL', async () => {
    const fields =
      'id type schemaVersion stream { type id version } actor act requestId causationId traceparent occurredAt outcome data';
    const { data } = await graphql(
      `{ auditEvents(first: 2, actor: null) { edges { cursor node { ${fields} } } pageInfo { hasNextPage endCursor } } }`,
    );
    const rest = await get('/v1/audit/events?limit=2');
    expect(data.auditEvents.edges.map((edge: { node: unknown }) => edge.node)).toEqual(rest.body.data);
    expect(data.auditEvents.pageInfo).toEqual({ hasNextPage: true, endCursor: rest.body.nextCursor });
    const next = await graphql(
      `{ auditEvents(after: "${data.auditEvents.edges[0].cursor}", first: 1) { edges { node { id } } } }`,
    );
    expect(next.data.auditEvents.edges[0].node.id).toBe(rest.body.data[1].id);
    const one = await graphql(`{ auditEvent(id: "${rest.body.data[0].id}") { ${fields} } }`);
    expect(one.data.auditEvent).toEqual(rest.body.data[0]);
    expect(await graphql(`{ auditEvent(id: "${rest.body.data[0].id}") { id } }`, 'other')).toMatchObject({
      errors: [{ extensions: { code: 'resource.not_found' } }],
    });
    expect(await graphql('{ auditEvents(type: "a\\u0000") { edges { cursor } } }')).toMatchObject({
      errors: [{ extensions: { code: 'request.invalid' } }],
    });
  });

  it('shows the history of an entity and the chain of an event, the same over GraphQL', async () => {
    const { body } = await get('/v1/audit/events?limit=1');
    const { id, stream } = body.data[0];
    const name = `${stream.type}/${stream.id}`;
    const history = await get(`/v1/audit/history?stream=${name}`);
    expect(history).toMatchObject({
      status: 200,
      body: { data: [{ version: '1', eventId: id, changes: [] }] },
    });
    const versions = await graphql(
      `{ auditHistory(stream: "${name}") { edges { node { version eventId type actor act requestId occurredAt isPruned changes } } } }`,
    );
    expect(versions.data.auditHistory.edges.map((edge: { node: unknown }) => edge.node)).toEqual(
      history.body.data,
    );
    const chain = await get(`/v1/audit/events/${id}/chain`);
    expect(chain).toMatchObject({ status: 200, body: { truncated: false, requestId: caller.requestId } });
    expect(chain.body.nodes).toHaveLength(3);
    const fields =
      'requestId truncated nodes { id depth causationId requestId type stream { type id version } actor act outcome occurredAt }';
    const tree = await graphql(`{ auditChain(eventId: "${id}") { ${fields} } }`);
    expect(tree.data.auditChain).toEqual(chain.body);
    expect(await get(`/v1/audit/events/${id}/chain`, 'other')).toMatchObject({ status: 404 });
    expect((await get(`/v1/audit/history?stream=${name}`, 'other')).body.data).toEqual([]);
    for (const url of ['events/x/chain', 'history', 'history?stream=a', `history?stream=${name}%00`])
      expect(await get(`/v1/audit/${url}`)).toMatchObject({ status: 422, body: { code: 'request.invalid' } });
  });

  it('feeds JSON, and a line for each leaf where that is asked for', async () => {
    const sealer = await TestSealer.create(database);
    await sealer.seal();
    await sealer.close();
    const { body } = await get('/v1/audit/feed?limit=2');
    expect(body.data).toMatchObject([{ kind: 'epoch' }, { kind: 'event', index: '1' }]);
    const accept = 'application/x-ndjson';
    const url = `/v1/audit/feed?after=${body.data[0].cursor}`;
    const lines = await app.inject({ url, headers: { authorization: 'caller', accept } });
    expect(lines.headers).toMatchObject({
      'content-type': `${accept}; charset=utf-8`,
      'cache-control': 'no-store',
    });
    const read = lines.body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(read).toHaveLength(3);
    expect(read[0]).toEqual(body.data[1]);
    const next = String(lines.headers['holdfast-next-cursor']);
    expect(await get(`/v1/audit/feed?after=${next}`)).toMatchObject({ body: { data: [], nextCursor: next } });
    const empty = await app.inject({
      url: `/v1/audit/feed?after=${next}`,
      headers: { authorization: 'caller', accept },
    });
    expect([empty.statusCode, empty.body]).toEqual([200, '']);
    expect(await get('/v1/audit/feed?limit=0')).toMatchObject({ status: 422 });
    expect(await get('/v1/audit/feed?after=%00')).toMatchObject({ status: 422 });
    expect(await get('/v1/audit/feed?after=forged')).toMatchObject({ status: 400 });
    expect(await get('/v1/audit/feed', 'nobody')).toMatchObject({ status: 403 });
  });
});
