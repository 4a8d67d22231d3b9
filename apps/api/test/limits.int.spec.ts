import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Limits, type Quota } from '@holdfast/limits';
import { freePort, hasRedisServer, startRedis, stopRedis } from '@holdfast/testing';
import { type Answer, TestApi } from './test-api';

/** A token every 10 s: none flows in while a test runs. */
const SMALL: Quota = { requestsPerSecond: 1, requestsBurst: 10, concurrentRequests: 2 };
const PAGE = '/v1/ledger/accounts?limit=1';

/** Guards the limits as a client meets them, each at a size that a test can use up. */
describe('Limits of the API', () => {
  let api: TestApi;
  let quota: Quota;

  beforeAll(async () => void (api = await TestApi.start({ quotaOf: () => quota })));
  afterAll(() => api.close());
  beforeEach(() => void (quota = { ...SMALL, requestsPerSecond: 0.1 }));

  const many = async (n: number, ask: () => Promise<Answer>): Promise<Answer[]> => {
    const answers: Answer[] = [];
    for (let i = 0; i < n; i += 1) answers.push(await ask());
    return answers;
  };
  const statuses = (answers: readonly Answer[]): number[] => answers.map(({ status }) => status);

  it('say on every answer how the client stands', async () => {
    const { key } = await api.tenant();
    const { headers } = await api.ask('GET', PAGE, { key });
    expect(headers['ratelimit-policy']).toMatch(
      /^"address";q=\d+;w=1, "credential";q=8;w=100, "tenant";q=10;w=100$/,
    );
    expect(headers['ratelimit']).toMatch(/^"address";r=\d+;t=1, "credential";r=7;t=13, "tenant";r=9;t=10$/);
  });

  it('refuse a credential that has used up its share with 429, and leave the rest to others of its tenant', async () => {
    const { id, key } = await api.tenant();
    const answers = await many(12, () => api.ask('GET', PAGE, { key }));
    expect(statuses(answers)).toEqual([...Array(8).fill(200), ...Array(4).fill(429)]);
    for (const { headers, body, text } of answers.slice(8)) {
      expect(body).toMatchObject({
        status: 429,
        code: 'limits.rate_exceeded',
        requestId: headers['x-request-id'],
      });
      expect(headers['content-type']).toContain('application/problem+json');
      expect(Number(headers['retry-after'])).toBeGreaterThan(0);
      expect(Number(headers['retry-after'])).toBeLessThanOrEqual(13);
      expect(headers['ratelimit']).toContain('"credential";r=0');
      expect(text).not.toContain(key);
    }
    const { body } = await api.operator('POST', `/v1/operator/tenants/${id}/api-keys`, {
      body: { name: 'other', scopes: ['*'], reason: 'A second key has a rate of its own' },
    });
    const other = String(body['secret']);
    // The tenant has two left: what the first key was refused was not taken from it.
    const rest = await many(4, () => api.ask('GET', PAGE, { key: other }));
    expect(statuses(rest)).toEqual([200, 200, 429, 429]);
  });

  it('refuse before the body is read, once it is known that nothing is left', async () => {
    const { key } = await api.tenant();
    await many(9, () => api.ask('GET', PAGE, { key }));
    const unread = await api.ask('POST', '/v1/ledger/transfers', { key, body: '{' });
    expect(unread).toMatchObject({ status: 429, body: { code: 'limits.rate_exceeded' } });
    expect(unread.headers['ratelimit']).toContain('"credential";r=0');
  });

  it('leave other tenants, the operator, health and the documents alone', async () => {
    const [noisy, quiet] = [await api.tenant(), await api.tenant()];
    await many(12, () => api.ask('GET', PAGE, { key: noisy.key }));
    expect(await api.ask('GET', PAGE, { key: quiet.key })).toMatchObject({ status: 200 });
    const others = await many(15, () => api.operator('GET', '/v1/operator/tenants?limit=1'));
    expect(new Set(statuses(others))).toEqual(new Set([200]));
    for (const path of ['/livez', '/openapi.json', '/schema.graphql']) {
      const answer = await api.ask('GET', path, { key: noisy.key });
      expect([path, answer.status === 429 ? 429 : 200]).toEqual([path, path === '/livez' ? 200 : 429]);
    }
  });

  it('refuse over GraphQL with the same code, and count a document by what it asks', async () => {
    const { key } = await api.tenant();
    const paid = await api.graphql(
      key,
      '{ accounts(first: 3) { edges { node { entries(first: 1) { edges { cursor } } } } } }',
    );
    expect(paid.headers['ratelimit']).toContain('"tenant";r=6');
    const refused = await api.graphql(
      key,
      '{ a: tenant { id } b: tenant { id } c: tenant { id } d: tenant { id } e: tenant { id } }',
    );
    expect(refused).toMatchObject({ status: 429, body: { data: null } });
    expect(codesOf(refused)).toEqual(['limits.rate_exceeded']);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    // What was refused was not charged: there is enough for less.
    expect((await api.graphql(key, '{ tenant { id } }')).body['data']).not.toBeNull();
  });

  it('refuse a document that costs more than any may', async () => {
    const { key } = await api.tenant();
    const page = 'accounts(first: 200) { edges { node { entries(first: 200) { edges { cursor } } } } }';
    const answer = await api.graphql(key, `{ ${page} more: ${page} }`);
    expect([answer.status, codesOf(answer)]).toEqual([400, ['graphql.too_costly']]);
  });

  describe('on requests at once', () => {
    beforeEach(
      () => void (quota = { requestsPerSecond: 1_000, requestsBurst: 1_000, concurrentRequests: 2 }),
    );

    /** Keeps accounts locked, so that whoever reads them is at work for as long. */
    async function slowed<T>(work: () => Promise<T>): Promise<T> {
      const ended = api.database
        .admin('begin; lock table ledger.accounts in access exclusive mode; select pg_sleep(60)')
        .catch(() => {}); // Cancelled below.
      await untilLocks(1, true);
      try {
        return await work();
      } finally {
        await api.database.admin(
          `select pg_cancel_backend(pid) from pg_stat_activity where query like '%pg_sleep(60)' and pid <> pg_backend_pid()`,
        );
        await ended;
      }
    }

    /** Until so many have the lock on accounts, or wait for it. */
    async function untilLocks(n: number, granted: boolean): Promise<void> {
      const locks = `select from pg_locks where relation = 'ledger.accounts'::regclass and granted = ${granted} and mode = '${granted ? 'AccessExclusiveLock' : 'AccessShareLock'}'`;
      while ((await api.database.admin(locks)).length < n) await sleep(10);
    }

    it('let a few wait and refuse the rest with 429', async () => {
      const { key } = await api.tenant();
      const [answers, admitted] = await slowed(async () => {
        const asked = Array.from({ length: 8 }, () => api.ask('GET', PAGE, { key }));
        const settled: Answer[] = [];
        for (const answer of asked) void answer.then((got) => settled.push(got));
        while (settled.length < 6) await sleep(10);
        return [settled.slice(), asked] as const;
      });
      expect(statuses(answers)).toEqual([429, 429, 429, 429, 429, 429]);
      const all = statuses(await Promise.all(admitted));
      expect(all.filter((status) => status === 200)).toHaveLength(2);
      expect(answers.find(({ status }) => status === 429)).toMatchObject({
        body: { code: 'limits.concurrency_exceeded' },
        headers: { 'retry-after': '1' },
      });
      expect(statuses(await Promise.all([1, 2, 3, 4].map(() => api.ask('GET', PAGE, { key }))))).toEqual([
        200, 200, 200, 200,
      ]);
    });

    it('give back the permit of a client that goes away once its work is done, and not before', async () => {
      const { key } = await api.tenant();
      await api.app.listen(0, '127.0.0.1');
      const port = Number(new URL(await api.app.getUrl()).port);
      await slowed(async () => {
        for (let n = 0; n < 2; n += 1) {
          const socket = connect(port, '127.0.0.1');
          socket.write(`GET ${PAGE} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${key}\r\n\r\n`);
          await untilLocks(n + 1, false);
          socket.destroy();
          await once(socket, 'close');
        }
        // Both permits are still at work, and stay there longer than anybody waits for one.
        expect(await api.ask('GET', PAGE, { key })).toMatchObject({ status: 429 });
      });
      expect(statuses(await Promise.all([1, 2].map(() => api.ask('GET', PAGE, { key }))))).toEqual([
        200, 200,
      ]);
    });

    it('give back the permit of a request that fails', async () => {
      const { key } = await api.tenant();
      const failing = (): Promise<Answer> =>
        api.ask('POST', '/v1/ledger/transfers', { key, body: { no: 1 } });
      expect(new Set(statuses(await many(10, failing)))).toEqual(new Set([422]));
      expect(await api.ask('GET', PAGE, { key })).toMatchObject({ status: 200 });
    });
  });
});

/** Guards the failure mode that the README states: nobody is refused or answered with an error because of Redis. */
(hasRedisServer() ? describe : describe.skip)('Limits that are shared through Redis', () => {
  let api: TestApi;
  let redis: ChildProcess;
  const shared: boolean[] = [];

  beforeAll(async () => {
    const port = await freePort();
    redis = await startRedis(port);
    const redisUrl = `redis://127.0.0.1:${port}`;
    const onShared = (isShared: boolean): void => void shared.push(isShared);
    api = await TestApi.start({ redisUrl, onShared, quotaOf: () => ({ ...SMALL, requestsPerSecond: 0.1 }) });
  });
  beforeAll(async () => {
    const limits = api.app.get(Limits);
    while (
      !(await limits.checkShared().then(
        () => true,
        () => false,
      ))
    )
      await sleep(10);
  });
  afterAll(async () => {
    await stopRedis(redis);
    await api.close();
  });

  it('hold, and count in the process from full buckets when Redis is gone', async () => {
    const { key } = await api.tenant();
    const ask = async (): Promise<number> => (await api.ask('GET', PAGE, { key })).status;
    const asked = async (n: number): Promise<number[]> => {
      const statuses: number[] = [];
      for (let i = 0; i < n; i += 1) statuses.push(await ask());
      return statuses;
    };
    await asked(5);
    await stopRedis(redis);
    expect(await asked(9)).toEqual([...Array<number>(8).fill(200), 429]);
    expect(shared.at(-1)).toBe(false);
  });
});

/** Guards that whoever guesses credentials runs dry, by the address and before anything is looked up. */
describe('Limits of an address', () => {
  let api: TestApi;

  beforeAll(async () => void (api = await TestApi.start({ addresses: { size: 100, perSecond: 1 } })));
  afterAll(() => api.close());

  const guess = async (remoteAddress: string): Promise<number> => {
    const headers = { authorization: `Bearer hf_live_${'0'.repeat(36)}` };
    return (await api.app.inject({ method: 'GET', url: PAGE, headers, remoteAddress })).statusCode;
  };
  const guessUntilRefused = async (address: string): Promise<number> => {
    for (let n = 0; n < 200; n += 1) if ((await guess(address)) === 429) return n;
    return 200;
  };

  it('refuse after ten wrong guesses what would have been a hundred requests', async () => {
    expect(await guessUntilRefused('192.0.2.1')).toBe(10);
    expect(await guess('192.0.2.2')).toBe(401);
  });

  it('count an IPv6 network as one client', async () => {
    await guessUntilRefused('2001:db8::1');
    expect(await guess('2001:db8::ffff:1')).toBe(429);
    expect(await guess('2001:db8:0:1::1')).toBe(401);
  });

  it('believe X-Forwarded-For of nobody that is not a trusted proxy', async () => {
    const headers = { 'x-forwarded-for': '198.51.100.1' };
    await guessUntilRefused('192.0.2.9');
    const { statusCode } = await api.app.inject({
      method: 'GET',
      url: PAGE,
      headers,
      remoteAddress: '192.0.2.9',
    });
    expect(statusCode).toBe(429);
  });
});

function codesOf({ body }: Answer): string[] {
  const errors = (body['errors'] ?? []) as readonly { readonly extensions: { readonly code: string } }[];
  return errors.map(({ extensions }) => extensions.code);
}
