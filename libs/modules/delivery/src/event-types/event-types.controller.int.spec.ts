import type { Caller } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { createHttpApplication, graphqlModule, requestOf } from '@holdfast/http';
import { createLogger, Health } from '@holdfast/observability';
import { earlierVersion, eventType } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { z } from 'zod';
import { DeliveryModule } from '../delivery.module';

const schema = z.strictObject({ width: z.int(), note: z.string().optional() });
eventType('test.door.opened', {
  version: 2,
  description: 'A door was opened.',
  schema,
  example: { width: 80 },
  earlier: [
    earlierVersion({
      version: 1,
      schema: z.object({}),
      example: {},
      upcast: () => ({ width: 0 }),
    }),
  ],
});
eventType('test.window.opened', {
  version: 1,
  description: 'A window was opened.',
  schema: z.object({}),
  example: {},
});

const door = {
  type: 'test.door.opened',
  streamType: 'test.door',
  description: 'A door was opened.',
  versions: [
    { schemaVersion: 1, schema: expect.objectContaining({ type: 'object' }), example: {} },
    {
      schemaVersion: 2,
      schema: {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        properties: {
          width: { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER },
          note: { type: 'string' },
        },
        required: ['width'],
      },
      example: { width: 80 },
    },
  ],
};

describe('The types of events over HTTP', () => {
  let database: TestDatabase;
  let app: NestFastifyApplication;

  beforeAll(async () => {
    database = await TestDatabase.create();
    const caller = await database.caller();
    const callers: Record<string, Caller> = {
      reader: { ...caller, scopes: ['events:read'] },
      nobody: { ...caller, scopes: ['audit:read'] },
    };
    const guard: CanActivate = {
      canActivate: (context: ExecutionContext) => {
        const request = requestOf(context);
        request.caller = callers[String(request.headers.authorization)]!;
        return true;
      },
    };
    const module = {
      module: DeliveryModule,
      imports: [MessagesModule.forRoot(database.tenants()), graphqlModule({ graphiql: false })],
      providers: [{ provide: APP_GUARD, useValue: guard }],
    };
    const logger = createLogger({ app: 'test', level: 'silent' });
    app = await createHttpApplication(module, { logger, health: new Health(), version: '0' });
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  const get = (url: string, headers: Record<string, string> = {}) =>
    app.inject({ url, headers: { authorization: 'reader', ...headers } });

  it('lists them by name, with every version, its schema and an example', async () => {
    const answer = await get('/v1/events/types?prefix=test.');
    expect(answer.statusCode).toBe(200);
    expect(answer.json().data).toEqual([door, expect.objectContaining({ type: 'test.window.opened' })]);
  });

  it('finds those that begin with a prefix', async () => {
    expect((await get('/v1/events/types?prefix=test.window')).json().data).toHaveLength(1);
    expect((await get('/v1/events/types?prefix=nothing')).json().data).toEqual([]);
    expect((await get('/v1/events/types?prefixes=x')).statusCode).toBe(422);
  });

  it('shows one, and has no other', async () => {
    expect((await get('/v1/events/types/test.door.opened')).json()).toEqual(door);
    const unknown = await get('/v1/events/types/test.door.shut');
    expect([unknown.statusCode, unknown.json().code]).toEqual([404, 'resource.not_found']);
  });

  it.each(['/v1/events/types', '/v1/events/types/test.door.opened'])(
    'sends %s once to whoever names its ETag',
    async (url) => {
      const { headers } = await get(url);
      expect(headers['cache-control']).toBe('private, max-age=600');
      for (const tag of [
        String(headers.etag),
        `W/${String(headers.etag)}`,
        `"other", ${String(headers.etag)}`,
      ]) {
        const again = await get(url, { 'if-none-match': tag });
        expect([again.statusCode, again.body, again.headers.etag]).toEqual([304, '', headers.etag]);
      }
      expect((await get(url, { 'if-none-match': '"other"' })).statusCode).toBe(200);
    },
  );

  it('answers GraphQL with the same', async () => {
    const query = `{
      eventTypes(prefix: "test.door") { type streamType description versions { schemaVersion schema example } }
      eventType(type: "test.door.opened") { type streamType description versions { schemaVersion schema example } }
    }`;
    const headers = { authorization: 'reader' };
    const answer = await app.inject({ method: 'POST', url: '/graphql', headers, payload: { query } });
    expect(answer.json()).toEqual({ data: { eventTypes: [door], eventType: door } });
  });

  it('refuses whoever may not read events', async () => {
    for (const url of ['/v1/events/types', '/v1/events/types/test.door.opened']) {
      const answer = await get(url, { authorization: 'nobody' });
      expect([answer.statusCode, answer.json().code]).toEqual([403, 'auth.forbidden']);
    }
  });
});
