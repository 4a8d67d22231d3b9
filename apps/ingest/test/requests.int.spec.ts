import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { eventually } from '@holdfast/testing';
import { type StoredRow, TestIngest } from './test-ingest';

const event = { event: 'Clicked', userId: 'u1' };
/** Less than a spec wants to wait, and more than an honest request takes. */
const REQUEST_TIMEOUT_MS = 1_000;

describe('Ingest', () => {
  let ingest: TestIngest;
  beforeAll(async () => {
    ingest = await TestIngest.start({ requestTimeoutMs: REQUEST_TIMEOUT_MS });
  });
  afterAll(() => ingest.close());

  const garbage: readonly [string, string, string | Uint8Array<ArrayBuffer>, number, string][] = [
    ['nothing', '/v1/track', '', 400, 'ingest.not_json'],
    ['half of JSON', '/v1/track', '{"event":', 400, 'ingest.not_json'],
    ['a list', '/v1/track', '[]', 400, 'ingest.not_an_object'],
    ['no list', '/v1/batch', '{"batch":{}}', 400, 'ingest.no_events'],
    ['lists 10^5 deep', '/v1/track', '['.repeat(100_000), 400, 'ingest.not_json'],
    [
      'objects 10^5 deep',
      '/v1/batch',
      `{"batch":[${'{"a":'.repeat(70_000)}1${'}'.repeat(70_000)}]}`,
      400,
      'ingest.invalid',
    ],
    ['a NUL', '/v1/track', '{"event":"\0","userId":"u"}', 400, 'ingest.not_json'],
    ['another charset', '/v1/track', Buffer.from('{"event":"é"}', 'latin1'), 400, 'ingest.not_utf8'],
    [
      'a huge number for an instant',
      '/v1/track',
      '{"event":"E","userId":"u","timestamp":1e999}',
      400,
      'ingest.invalid',
    ],
    ['broken gzip', '/v1/track', Uint8Array.of(0x1f, 0x8b, 8, 0, 1), 400, 'ingest.not_gzip'],
    ['a gzip bomb', '/v1/batch', Buffer.from(gzipSync(Buffer.alloc(300_000_000))), 413, 'ingest.too_large'],
    ['too large a body', '/v1/batch', ' '.repeat(600_000), 413, 'ingest.too_large'],
    [
      'too large an event',
      '/v1/track',
      `{"event":"E","userId":"u","properties":{"a":"${'x'.repeat(40_000)}"}}`,
      400,
      'ingest.invalid',
    ],
    [
      'a form of many fields',
      '/e/',
      Buffer.from(gzipSync(`data=&${'a&'.repeat(250_000)}`)),
      400,
      'ingest.not_json',
    ],
    ['a form that is none', '/e/', 'data=%', 400, 'ingest.not_json'],
  ];

  test.each(garbage)('refuses %s and goes on', async (_, path, body, status, code) => {
    const answer = await ingest.post(path, body);
    expect([answer.status, answer.body['code']]).toEqual([status, code]);
    expect((await ingest.post('/v1/track', event)).status).toBe(200);
  });

  test('takes what is odd but says something', async () => {
    const odd = [
      '{"event":"Odd 1","event":"Odd 2","userId":"u"}',
      '{"event":"Odd 3","userId":"u","properties":{"__proto__":{"admin":true},"constructor":1}}',
      '{"event":"Odd 4","userId":"u","properties":{"a":"\\ud800","b":"\\u0000","c":1e999,"d":123456789012345678901}}',
    ];
    for (const body of odd) expect((await ingest.post('/v1/track', body)).status).toBe(200);
    const rows = (await ingest.stored(garbage.length + odd.length)).filter(({ name }) =>
      name.startsWith('Odd'),
    );
    expect(rows.map(({ name, properties }) => [name, JSON.parse(properties) as unknown])).toEqual([
      ['Odd 2', {}],
      ['Odd 3', JSON.parse('{"__proto__":{"admin":true},"constructor":1}')],
      ['Odd 4', { a: '\uFFFD', b: '\uFFFD', c: null, d: 123456789012345680000 }],
    ]);
  });

  test('refuses who has no key, as each protocol says it', async () => {
    const strange = { authorization: `Basic ${Buffer.from('hfw_nobody:').toString('base64')}` };
    const segment = await ingest.post('/v1/track', event, strange);
    expect([segment.status, segment.body]).toEqual([
      401,
      { success: false, code: 'ingest.invalid_key', message: 'There is no valid write key.' },
    ]);
    const posthog = await ingest.post('/batch/', { api_key: 'none', batch: [] }, strange);
    expect([posthog.status, posthog.body['type']]).toEqual([401, 'authentication_error']);
    const otlp = await ingest.post('/v1/logs', {}, { authorization: 'Bearer none' });
    expect([otlp.status, otlp.body['code']]).toEqual([401, 16]);
  });

  test('tells an exporter how many of its records were refused', async () => {
    const logRecords = [{ body: { stringValue: 'a' } }, { timeUnixNano: 'noon' }];
    const { status, body } = await ingest.post('/v1/logs', {
      resourceLogs: [{ scopeLogs: [{ logRecords }] }],
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ partialSuccess: { rejectedLogRecords: '1' } });
  });

  test.each([
    ['a record whose attribute has no name', { attributes: [{ key: { toString: 1 } }] }],
    ['a severity that is none', { severityNumber: { toString: 1 } }],
  ])('refuses %s, and takes those beside it', async (_, record) => {
    const logRecords = [record, { body: { stringValue: 'good' } }];
    const { status, body } = await ingest.post('/v1/logs', {
      resourceLogs: [{ scopeLogs: [{ logRecords }] }],
    });
    expect([status, body]).toMatchObject([200, { partialSuccess: { rejectedLogRecords: '1' } }]);
  });

  test('refuses what sent the records when its attributes are named by lists in lists', async () => {
    const key = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const text = `{"resourceLogs":[{"resource":{"attributes":[{"key":${key}}]},"scopeLogs":[{"logRecords":[{}]}]}]}`;
    expect(await ingest.post('/v1/logs', text)).toMatchObject({ status: 400, body: { code: 3 } });
  });

  test('lets pages of every origin send, also by a beacon', async () => {
    const origin = 'https://shop.example';
    const preflight = await fetch(`${ingest.url}/v1/batch`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-headers': 'authorization,content-type' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
    expect(preflight.headers.get('access-control-allow-headers')).toBe('authorization,content-type');
    const beacon = await fetch(`${ingest.url}/v1/track`, {
      method: 'POST',
      headers: { origin, 'content-type': 'text/plain;charset=UTF-8' },
      body: JSON.stringify({ ...event, writeKey: ingest.writeKey }),
    });
    expect([beacon.status, beacon.headers.get('access-control-allow-origin')]).toEqual([200, origin]);
  });

  test('takes what posthog-js collects, compressed, as it is, and from a page that is left', async () => {
    const collected = ['compressed', 'plain', 'left'].map((name) => ({
      event: `posthog-js ${name}`,
      properties: { token: ingest.writeKey, distinct_id: 'visitor' },
      offset: 10,
    }));
    const [compressed, plain, left] = collected.map((each) => JSON.stringify([each]));
    const form = `data=${encodeURIComponent(Buffer.from(left ?? '').toString('base64'))}`;
    const sent = [
      ['/e/?ip=0&ver=1.300.0', 'text/plain', gzipSync(compressed ?? '')],
      ['/i/v0/e/?ip=0', 'application/json', plain],
      ['/e/?compression=base64&retry_count=1', 'application/x-www-form-urlencoded', form],
    ] as const;
    for (const [path, type, body] of sent) {
      const headers = { origin: 'https://shop.example', 'content-type': type };
      const answer = await fetch(`${ingest.url}${path}`, { method: 'POST', headers, body: body ?? '' });
      expect([answer.status, await answer.json()]).toEqual([200, { status: 'Ok' }]);
    }
    let stored: StoredRow[] = [];
    await eventually(async () => {
      stored = (await ingest.stored(0)).filter(({ name }) => name.startsWith('posthog-js'));
      return stored.length === sent.length;
    });
    expect(stored.map(({ name, user_id: user }) => [name, user])).toEqual(
      ['compressed', 'left', 'plain'].map((name) => [`posthog-js ${name}`, 'visitor']),
    );
  });

  test.each(['nonsense', 'multipart/form-data', 'application/json; charset=utf-16', 'a/b; c="'])(
    'does not ask what a body is called: %s',
    async (type) => {
      expect((await ingest.post('/v1/track', event, { 'content-type': type })).status).toBe(200);
    },
  );

  test('refuses a tenant that sends more than its plan includes, and says when to come again', async () => {
    const batch = Array.from({ length: 2_000 }, () => ({ type: 'track', ...event }));
    const { smallKey } = ingest;
    const send = (): ReturnType<TestIngest['post']> =>
      ingest.post('/v1/batch', { batch }, { authorization: `Bearer ${smallKey}` });
    let answer = await send();
    for (let requests = 0; requests < 30 && answer.status === 200; requests++) answer = await send();
    expect(answer.status).toBe(429);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  /** What comes back on a connection until it ends, or until `until` has come. */
  const answerTo = async (text: string, until?: string): Promise<string> => {
    const { port } = new URL(ingest.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(text);
    let answer = '';
    for await (const chunk of socket) {
      answer += String(chunk);
      if (until !== undefined && answer.includes(until)) break;
    }
    return answer;
  };

  test('cuts a body that does not come', async () => {
    const answer = await answerTo('POST /v1/track HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{');
    expect(answer).toContain('408');
    expect((await ingest.post('/v1/nowhere', {})).status).toBe(404);
  });

  test('knows a path in a whole URL, as a sender behind a proxy names it', async () => {
    const answer = await answerTo(
      'POST http://a:80/v1/track?x=/ HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\nconnection: close\r\n\r\n{',
    );
    expect(answer).toContain('ingest.not_json');
  });

  test('asks for a body that is announced, unless it is too large', async () => {
    const expecting = (bytes: number): string =>
      `POST /v1/track HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: ${bytes}\r\n\r\n`;
    expect(await answerTo(expecting(10), '\r\n\r\n')).toMatch(/^HTTP\/1\.1 100 Continue/);
    expect(await answerTo(expecting(600_000))).toMatch(/^HTTP\/1\.1 413 [^]*ingest\.too_large/);
  });
});
