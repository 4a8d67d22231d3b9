import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId } from '@holdfast/kernel';
import { Sequencer } from '@holdfast/events';
import { announcement, eventType, type TenantDatabase } from '@holdfast/tenancy';
import { createClient } from 'graphql-ws';
import { z } from 'zod';
import { GraphqlSocket } from './graphql-socket';
import { addressOf } from './tail-client';
import { TestApi } from './test-api';

const counted = eventType('test.goat.counted', {
  version: 1,
  description: 'A goat was counted.',
  schema: z.object({ n: z.int() }),
  example: { n: 1 },
});

const EVENTS = `subscription Follow($after: String, $from: String, $types: [String!]) {
  events(after: $after, from: $from, types: $types) { cursor event { id type tenantid data } }
}`;

interface Told {
  readonly cursor: string;
  readonly event: { readonly id: string; readonly type: string; readonly tenantid: string } | null;
}

describe('The live tail over GraphQL', () => {
  let api: TestApi;
  let sequencer: Sequencer;
  let tenants: TenantDatabase;
  let caller: Caller;
  let tenant: { readonly id: string; readonly key: string };
  const sockets: GraphqlSocket[] = [];

  beforeAll(async () => {
    api = await TestApi.start();
    tenants = api.database.tenants(4);
    const relay = api.database.as('holdfast_relay', 2);
    sequencer = new Sequencer({
      relay,
      onTick: () => {},
      report: (error, doing) => process.stderr.write(`${doing}: ${String(error)}\n`),
    });
    sequencer.start();
    tenant = await api.tenant();
    caller = await api.database.caller(tenant.id);
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.close();
  });
  afterAll(async () => {
    await sequencer.stop();
    await api.close();
  });

  const open = async (...given: Parameters<typeof GraphqlSocket.open>): Promise<GraphqlSocket> => {
    const socket = await GraphqlSocket.open(...given);
    sockets.push(socket);
    return socket;
  };
  const bearing = (key: string) => ({ authorization: `Bearer ${key}` });
  const announce = async (n: number, by = caller): Promise<string> => {
    const event = announcement(counted, { id: newId(), version: 1n }, { n });
    await tenants.transaction(by, (tx) => tx.announce(event));
    return event.id;
  };

  it('leads on behind the last cursor, in another pod when the first has died', async () => {
    const pods = [await api.pod(), await api.pod()] as const;
    const url = (pod: TestApi) => async () => `${(await addressOf(pod.app)).replace('http', 'ws')}/graphql`;
    const got: Told[] = [];
    const sent = [await announce(1), await announce(2)];
    const follow = async (pod: TestApi, isEnough: () => boolean): Promise<void> => {
      const client = createClient({
        url: await url(pod)(),
        connectionParams: bearing(tenant.key),
        retryAttempts: 0,
      });
      const variables = { after: got.at(-1)?.cursor, from: 'beginning', types: ['test.goat.*'] };
      for await (const { data } of client.iterate<{ events: Told }>({ query: EVENTS, variables })) {
        if (data) got.push(data.events);
        if (isEnough()) break;
      }
      await client.dispose();
    };
    const ids = (): string[] => got.flatMap(({ event }) => event?.id ?? []);
    await follow(pods[0], () => ids().length === 2);
    await pods[0].close();
    sent.push(await announce(3), await announce(4));
    const other = await api.tenant();
    await announce(99, await api.database.caller(other.id));
    await follow(pods[1], () => ids().length === 4);
    expect(ids()).toEqual(sent);
    expect(new Set(got.flatMap(({ event }) => event?.tenantid ?? []))).toEqual(new Set([tenant.id]));
    await pods[1].close();
  });

  it('takes the credential of the upgrade as well', async () => {
    const socket = await open(api.app, bearing(tenant.key));
    await socket.init();
    socket.subscribe('1', EVENTS);
    await socket.next(({ type }) => type === 'next');
  });

  it.each([
    ['no credential', {}, 'auth.invalid_credential'],
    ['one that is none', bearing('hf_live_nobody'), 'auth.invalid_credential'],
  ])('refuses a subscription with %s', async (_what, payload, code) => {
    const socket = await open(api.app);
    await socket.init(payload);
    socket.subscribe('1', EVENTS);
    expect(await socket.refusalOf('1')).toBe(code);
  });

  it('refuses whoever may not read events, and who names another tenant', async () => {
    const socket = await open(api.app);
    await socket.init(bearing((await api.tenant(['audit:read'])).key));
    socket.subscribe('1', EVENTS);
    expect(await socket.refusalOf('1')).toBe('auth.forbidden');
    const other = await open(api.app);
    await other.init({ ...bearing(tenant.key), 'holdfast-tenant': newId() });
    other.subscribe('1', EVENTS);
    expect(await other.refusalOf('1')).toBe('auth.tenant_not_yours');
  });

  it('refuses a forged cursor and filters that are none', async () => {
    const socket = await open(api.app);
    await socket.init(bearing(tenant.key));
    socket.subscribe('1', EVENTS, { after: 'forged' });
    expect(await socket.refusalOf('1')).toBe('request.cursor_invalid');
    socket.subscribe('2', EVENTS, { types: ['Not A Type'] });
    expect(await socket.refusalOf('2')).toBe('request.invalid');
  });

  it('does nothing over a socket but subscribe, and looks at documents as closely as over HTTP', async () => {
    const socket = await open(api.app);
    await socket.init(bearing(tenant.key));
    const documents = {
      query: '{ me { actor } }',
      mutation:
        'mutation { revokeApiKey(id: "019a0000-0000-7000-8000-000000000001", idempotencyKey: "x") { id } }',
      twice: 'subscription { a: events { cursor } b: events { cursor } }',
      unknown: 'subscription { events { cursor secret } }',
      aliases: `subscription { events { ${Array.from({ length: 31 }, (_, n) => `c${n}: cursor`).join(' ')} } }`,
      deep: `subscription { events { event { id ${'... on TailEvent { '.repeat(20)} id ${'}'.repeat(20)} } } }`,
      introspection: 'subscription { __schema { types { name } } }',
      parsed: { kind: 'Document', definitions: [] },
      nothing: '',
    };
    for (const [id, query] of Object.entries(documents)) {
      socket.send({ type: 'subscribe', id, payload: { query } });
      await socket.refusalOf(id);
    }
    expect(socket.messages.filter(({ type }) => type === 'next')).toEqual([]);
  });

  it('ends a subscription within five seconds of the revocation of its key', async () => {
    const made = await api.operator('POST', `/v1/operator/tenants/${tenant.id}/api-keys`, {
      body: { name: 'second', scopes: ['events:read'], reason: 'a test of revocation' },
    });
    const socket = await open(api.app);
    await socket.init(bearing(String(made.body['secret'])));
    socket.subscribe('1', EVENTS);
    await socket.next(({ type }) => type === 'next');
    await api.ask('DELETE', `/v1/api-keys/${String(made.body['id'])}`, { key: tenant.key });
    expect(await socket.refusalOf('1')).toBe('auth.invalid_credential');
    // Another subscription on the same socket is looked at anew.
    socket.subscribe('2', EVENTS);
    expect(await socket.refusalOf('2')).toBe('auth.invalid_credential');
  });

  it('counts subscriptions like requests, and as streams of the tenant', async () => {
    const { key } = await api.tenant();
    const socket = await open(api.app);
    await socket.init(bearing(key));
    for (let n = 0; n < 20; n += 1) socket.subscribe(`${n}`, EVENTS);
    await socket.next(() => new Set(socket.messages.flatMap(({ id }) => id ?? [])).size === 20);
    socket.subscribe('one more', EVENTS);
    expect(await socket.refusalOf('one more')).toBe('events.too_many_streams');
    // With their socket they are all gone.
    socket.close();
    await socket.closed;
    const again = await open(api.app);
    await again.init(bearing(key));
    again.subscribe('1', EVENTS);
    await again.next(({ type }) => type === 'next');
    const quota = { requestsPerSecond: 0.01, requestsBurst: 2, concurrentRequests: 5 };
    const pod = await api.pod([], true, { quotaOf: () => quota });
    const limited = await open(pod.app);
    await limited.init(bearing(key));
    for (const id of ['1', '2', '3']) limited.subscribe(id, EVENTS);
    await limited.next(({ type }) => type === 'error');
    expect(limited.messages.find(({ type }) => type === 'error')?.payload).toMatchObject([
      { extensions: { code: 'limits.rate_exceeded' } },
    ]);
    await pod.close();
  });

  it('closes a socket on which nothing is subscribed, says too much, or sends too many messages', async () => {
    const idle = await open(api.app);
    const large = await open(api.app);
    large.send({ type: 'connection_init', payload: { text: 'x'.repeat(20_000) } });
    expect(await large.closed).toBe(1009);
    const busy = await open(api.app);
    for (let n = 0; n < 200; n += 1) busy.send({ type: 'ping' });
    expect(await busy.closed).toBe(4429);
    expect(await idle.closed).toBe(4408);
  }, 40_000);

  it('lets nobody in who holds sockets and says nothing, and keeps nobody out for it', async () => {
    const pod = await api.pod();
    const silent = await Promise.allSettled(Array.from({ length: 60 }, () => open(pod.app)));
    expect(silent.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(20);
    const refused = await Promise.allSettled([open(pod.app)]);
    expect(refused[0]?.status).toBe('rejected');
    // From behind another address, and after those have been cut.
    for (const each of sockets.splice(0)) each.close();
    await sleep(500);
    const socket = await open(pod.app);
    await socket.init(bearing(tenant.key));
    socket.subscribe('1', EVENTS);
    await socket.next(({ type }) => type === 'next');
    await pod.close();
  });

  it('closes a socket with a credential that is none', async () => {
    const socket = await open(api.app);
    await socket.init(bearing('hf_live_guess'));
    socket.subscribe('1', EVENTS);
    expect(await socket.refusalOf('1')).toBe('auth.invalid_credential');
    expect(await socket.closed).toBe(4401);
  });

  it('ends at once when its process stops, with a code for which clients come again', async () => {
    const pod = await api.pod();
    const socket = await open(pod.app);
    await socket.init(bearing(tenant.key));
    socket.subscribe('1', EVENTS);
    await socket.next(({ type }) => type === 'next');
    const began = performance.now();
    await pod.close();
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(await socket.closed).toBe(1012);
  });

  it('upgrades at /graphql and nowhere else, and answers whoever asks for an upgrade elsewhere', async () => {
    const address = await addressOf(api.app);
    const ask = (path: string, headers: Record<string, string>, method = 'GET'): Promise<number> =>
      new Promise((resolve, reject) => {
        const asked = request(`${address}${path}`, { method, headers }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        asked.on('upgrade', (_, socket) => {
          socket.destroy();
          resolve(101);
        });
        asked.on('error', reject).end();
      });
    const websocket = {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-protocol': 'graphql-transport-ws',
    };
    expect(await ask('/graphql', websocket)).toBe(101);
    expect(await ask('/graphql', {})).toBe(405);
    expect(await ask('/v1/tenant', { ...websocket, ...bearing(tenant.key) })).toBe(200);
    expect(await ask('/livez', { connection: 'upgrade, http2-settings', upgrade: 'h2c' })).toBe(200);
    expect(await ask('/graphql', { ...websocket, ...bearing(tenant.key) }, 'POST')).toBe(400);
  });
});
