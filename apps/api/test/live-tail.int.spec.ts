import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId } from '@holdfast/kernel';
import { Sequencer } from '@holdfast/events';
import { announcement, eventType, type TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { z } from 'zod';
import { TailClient } from './tail-client';
import { TestApi } from './test-api';

const counted = eventType('test.sheep.counted', {
  version: 1,
  description: 'A sheep was counted.',
  schema: z.object({ n: z.int() }),
  example: { n: 1 },
});
const washed = eventType('test.sheep.washed', {
  version: 1,
  description: 'A sheep was washed.',
  schema: z.object({}),
  example: {},
});

/** Promise 6 for those outside: every committed event, in order, once, whichever process serves the stream. */
describe('The live tail', () => {
  let api: TestApi;
  let sequencer: Sequencer;
  let tenants: TenantDatabase;
  const clients: TailClient[] = [];

  beforeAll(async () => {
    api = await TestApi.start();
    tenants = api.database.tenants(8);
    const relay = api.database.as('holdfast_relay', 2);
    sequencer = new Sequencer({
      relay,
      onTick: () => {},
      report: (error, doing) => process.stderr.write(`${doing}: ${String(error)}\n`),
    });
    sequencer.start();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.leave();
  });
  afterAll(async () => {
    await sequencer.stop();
    await api.close();
  });

  const open = async (...given: Parameters<typeof TailClient.open>): Promise<TailClient> => {
    const client = await TailClient.open(...given);
    clients.push(client);
    return client;
  };
  const transact = <T>(caller: Caller, work: (tx: TenantTx) => Promise<T>): Promise<T> =>
    tenants.transaction(caller, work);
  /** Appends an event to a stream of its own, or to one that is given; answers its id. */
  const announceIn = async (
    tx: TenantTx,
    n: number,
    stream = { id: newId(), version: 1n },
  ): Promise<string> => {
    const event = announcement(counted, stream, { n });
    await tx.announce(event);
    return event.id;
  };
  const announce = (caller: Caller, n: number): Promise<string> =>
    transact(caller, (tx) => announceIn(tx, n));
  const tenant = async (): Promise<{ id: string; key: string; caller: Caller }> => {
    const { id, key } = await api.tenant();
    return { id, key, caller: await api.database.caller(id) };
  };

  it('begins where it is told, sends CloudEvents in order, and leads on from any of them', async () => {
    const { id, key, caller } = await tenant();
    const first = await announce(caller, 1);
    const all = await open(api.app, key, '?from=beginning&types=test.*');
    await all.until(() => all.events.length === 1);
    expect(all.response.headers.get('content-type')).toBe('text/event-stream');
    expect(all.response.headers.get('cache-control')).toBe('no-store');
    expect(all.response.headers.get('x-accel-buffering')).toBe('no');
    expect(all.response.headers.get('content-encoding')).toBeNull();
    expect(all.blocks[0]?.retry).toBeGreaterThanOrEqual(500);
    const now = await open(api.app, key);
    await now.until(() => now.lastEventId !== '');
    const second = await announce(caller, 2);
    const third = await announce(caller, 3);
    await all.until(() => all.events.length === 3);
    await now.until(() => now.events.length === 2);
    expect(all.events).toEqual([first, second, third]);
    expect(now.events).toEqual([second, third]);
    expect(all.blocks.find(({ event }) => event === 'test.sheep.counted')?.data).toMatchObject({
      specversion: '1.0',
      id: first,
      type: 'test.sheep.counted',
      tenantid: id,
      data: { n: 1 },
    });
    const cursorOfFirst = all.blocks.find(({ data }) => data?.['id'] === first)?.id ?? '';
    const rest = await open(api.app, key, `?after=${cursorOfFirst}`);
    await rest.until(() => rest.events.length === 2);
    expect(rest.events).toEqual([second, third]);
    // A client that comes again still has the `after` of its address.
    const again = await open(api.app, key, `?after=${cursorOfFirst}`, { 'last-event-id': rest.lastEventId });
    const fourth = await announce(caller, 4);
    await again.until(() => again.events.length === 1);
    expect(again.events).toEqual([fourth]);
  });

  it('loses nothing and repeats nothing over the death of a pod, with transactions open that commit late', async () => {
    const [mine, other] = [await tenant(), await tenant()];
    const pods = [await api.pod(), await api.pod()] as const;
    const sent: string[] = [];
    const writers = Array.from({ length: 3 }, async (_, writer) => {
      for (let n = 0; n < 60; n += 1) {
        sent.push(await announce(mine.caller, writer * 100 + n));
        await announce(other.caller, n);
        await sleep(5);
      }
    });
    // Each draws its place in the log now and commits while the client is between two pods, or after.
    const late = [1_200, 2_000, 3_500].map((ms) =>
      transact(mine.caller, async (tx) => {
        const id = await announceIn(tx, ms);
        await sleep(ms);
        return id;
      }),
    );
    await sleep(150);
    const before = await open(pods[0].app, mine.key, '?from=beginning&types=test.sheep.counted');
    await before.until(() => before.events.length > 20);
    // As a killed process does: connections go, nothing is said.
    pods[0].app.getHttpServer().closeAllConnections();
    await before.ended;
    await sleep(300);
    await thinTicks();
    const after = await open(pods[1].app, mine.key, '?types=test.sheep.counted', {
      'last-event-id': before.lastEventId,
    });
    sent.push(...(await Promise.all([Promise.all(late), Promise.all(writers)]))[0]);
    await after.until(() => before.events.length + after.events.length >= sent.length);
    await sleep(500);
    const got = [...before.events, ...after.events];
    expect(before.events.length).toBeLessThan(sent.length);
    expect(got.toSorted()).toEqual(sent.toSorted());
    expect(new Set(got).size).toBe(sent.length);
    await Promise.all([pods[0].close(), pods[1].close()]);
  });

  /** Deletes all ticks but the first and the newest, as thinning may. */
  async function thinTicks(): Promise<void> {
    const rows = await api.database.admin(
      'delete from events.ticks where id > 0 and id < (select max(id) from events.ticks) returning id',
    );
    expect(rows.length).toBeGreaterThan(5);
  }

  it('keeps the order of a stream, whatever the pages and wherever it is cut', async () => {
    const { key, caller } = await tenant();
    const stream = newId();
    const ids: string[] = [];
    for (let n = 1; n <= 40; n += 1)
      ids.push(await transact(caller, (tx) => announceIn(tx, n, { id: stream, version: BigInt(n) })));
    const query = `?stream=test.sheep/${stream}`;
    const got: string[] = [];
    for (let lastEventId = ''; got.length < ids.length;) {
      const client = await open(api.app, key, `${query}&from=beginning`, { 'last-event-id': lastEventId });
      const wanted = Math.min(7, ids.length - got.length);
      await client.until(() => client.events.length >= wanted);
      await client.leave();
      const took = client.events.slice(0, wanted);
      got.push(...took);
      lastEventId = client.blocks.find(({ data }) => data?.['id'] === took.at(-1))?.id ?? '';
    }
    expect(got).toEqual(ids);
  });

  it('reads a backlog of a thousand events page by page, each once', async () => {
    const { key, caller } = await tenant();
    const ids: string[] = [];
    for (let batch = 0; batch < 10; batch += 1)
      ids.push(
        ...(await transact(caller, async (tx) => {
          const events = Array.from({ length: 100 }, (_, n) =>
            announcement(counted, { id: newId(), version: 1n }, { n }),
          );
          await tx.announce(...events);
          return events.map(({ id }) => id);
        })),
      );
    const began = performance.now();
    const client = await open(api.app, key, '?from=beginning&types=test.sheep.counted');
    await client.until(() => client.events.length >= 1_000);
    process.stdout.write(`1,000 events in ${Math.round(performance.now() - began)} ms\n`);
    expect(client.events).toEqual(ids);
  });

  it('sends what was asked for and moves on over the rest', async () => {
    const { key, caller } = await tenant();
    const client = await open(api.app, key, '?types=test.sheep.washed');
    await client.until(() => client.lastEventId !== '');
    const beginning = client.lastEventId;
    for (let n = 0; n < 5; n += 1) await announce(caller, n);
    // After 15 seconds in which nothing was sent there is a comment, with a cursor behind what was passed over.
    await client.until(() => client.lastEventId !== beginning, 30_000);
    expect(client.events).toEqual([]);
    await client.leave();
    const event = announcement(washed, { id: newId(), version: 1n }, {});
    await transact(caller, (tx) => tx.announce(event));
    const all = await open(api.app, key, '', { 'last-event-id': client.lastEventId });
    await all.until(() => all.events.length > 0);
    expect(all.events).toEqual([event.id]);
  }, 60_000);

  it.each([
    ['nothing that was handed out', async () => 'forged'],
    ['a cursor of another tenant', async () => (await opened((await tenant()).key)).lastEventId],
  ])('refuses %s with 400', async (_what, cursor) => {
    const { key } = await tenant();
    const headers = { 'last-event-id': await cursor() };
    for (const answer of [
      await api.ask('GET', '/v1/events/stream', { key, headers }),
      await api.ask('GET', `/v1/events/stream?after=${headers['last-event-id']}`, { key }),
    ])
      expect(answer).toMatchObject({ status: 400, body: { code: 'request.cursor_invalid' } });
  });

  const opened = async (key: string): Promise<TailClient> => {
    const client = await open(api.app, key);
    await client.until(() => client.lastEventId !== '');
    return client;
  };

  it('refuses filters that are none, unknown parameters, and who may not read events', async () => {
    const { key } = await tenant();
    for (const query of ['types=', 'types=Ledger', 'types=a,,b', 'stream=x', 'from=yesterday', 'limit=1'])
      expect(await api.ask('GET', `/v1/events/stream?${query}`, { key })).toMatchObject({ status: 422 });
    const { key: reader } = await api.tenant(['audit:read']);
    expect(await api.ask('GET', '/v1/events/stream', { key: reader })).toMatchObject({ status: 403 });
    expect(await api.ask('GET', '/v1/events/stream')).toMatchObject({ status: 401 });
  });

  it('ends within five seconds of the revocation of its key, and sends nothing afterwards', async () => {
    const { id, key, caller } = await tenant();
    const made = await api.operator('POST', `/v1/operator/tenants/${id}/api-keys`, {
      body: { name: 'second', scopes: ['events:read'], reason: 'a test of revocation' },
    });
    const client = await opened(String(made.body['secret']));
    const staying = await opened(key);
    const ended = await api.ask('DELETE', `/v1/api-keys/${String(made.body['id'])}`, { key });
    expect(ended.status).toBeLessThan(300);
    await client.ended;
    expect(client.problem).toBe('auth.invalid_credential');
    const count = client.events.length;
    const later = await announce(caller, 1);
    await staying.until(() => staying.events.includes(later));
    expect(client.events.length).toBe(count);
  });

  it('ends within five seconds of the suspension of its tenant', async () => {
    const { id, key } = await tenant();
    const client = await opened(key);
    const body = { reason: 'a test' };
    expect((await api.operator('POST', `/v1/operator/tenants/${id}/suspend`, { body })).status).toBe(200);
    await client.ended;
    expect(client.problem).toBe('tenants.suspended');
  });

  it('opens 20 streams for a tenant and no more, and others for others', async () => {
    const { key } = await tenant();
    const streams = [];
    for (let n = 0; n < 20; n += 1) streams.push(await opened(key));
    const refused = await api.ask('GET', '/v1/events/stream', { key });
    expect(refused).toMatchObject({ status: 429, body: { code: 'events.too_many_streams' } });
    expect(refused.headers['retry-after']).toBe('10');
    await opened((await tenant()).key);
    await streams[0]?.leave();
    await sleep(200);
    await opened(key);
  });

  it('takes none of the requests that a tenant may have at work', async () => {
    const { key } = await tenant();
    const quota = { requestsPerSecond: 100, requestsBurst: 100, concurrentRequests: 1 };
    const pod = await api.pod([], true, { quotaOf: () => quota });
    for (let n = 0; n < 3; n += 1) {
      const client = await open(pod.app, key);
      await client.until(() => client.lastEventId !== '');
    }
    expect(await pod.ask('GET', '/v1/tenant', { key })).toMatchObject({ status: 200 });
    await pod.close();
  });

  it('ends at once when its process stops, and says when to come again', async () => {
    const { key } = await tenant();
    const pod = await api.pod();
    const streams = await Promise.all([1, 2, 3].map(() => open(pod.app, key)));
    for (const each of streams) await each.until(() => each.lastEventId !== '');
    const began = performance.now();
    await pod.close();
    expect(performance.now() - began).toBeLessThan(3_000);
    for (const each of streams) {
      await each.ended;
      expect(each.problem).toBeUndefined();
      expect(each.blocks.filter(({ retry }) => retry !== undefined)).toHaveLength(2);
    }
  });

  it('answers HEAD without beginning a stream that nobody reads', async () => {
    const { key } = await tenant();
    for (let n = 0; n < 25; n += 1) {
      const answer = await api.app.inject({
        method: 'HEAD',
        url: '/v1/events/stream',
        headers: { authorization: `Bearer ${key}` },
      });
      expect([answer.statusCode, answer.body]).toEqual([200, '']);
    }
    await opened(key);
  });
});
