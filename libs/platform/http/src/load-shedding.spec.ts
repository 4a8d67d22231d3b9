import { metricsText } from '@holdfast/observability';
import Fastify, { type FastifyInstance } from 'fastify';
import { LoadShedding, shedLoad } from './load-shedding';

describe('The number of requests at work', () => {
  let shedding: LoadShedding;
  beforeEach(() => (shedding = new LoadShedding()));
  afterEach(() => shedding.close());
  const fill = (): number => {
    for (let entered = 0; ; entered += 1) if (!shedding.enter()) return entered;
  };

  it('is bounded, and one that leaves makes room for one', () => {
    expect(fill()).toBe(1_000);
    shedding.leave();
    expect(fill()).toBe(1);
  });

  it('shrinks with what is at work while the event loop is late, to a tenth and no further', () => {
    for (let n = 0; n < 500; n += 1) shedding.enter();
    shedding.adapt(60);
    expect(shedding.room).toBe(400);
    expect(shedding.enter()).toBe(false);
    shedding.adapt(60);
    expect(shedding.room).toBe(320);
    for (let n = 0; n < 20; n += 1) shedding.adapt(60);
    expect(shedding.room).toBe(100);
  });

  it('steps back while the database has no room for what is at work', () => {
    for (let n = 0; n < 500; n += 1) shedding.enter();
    shedding.crowd();
    shedding.adapt(10);
    expect(shedding.room).toBe(475);
    shedding.adapt(10);
    expect(shedding.room).toBe(500);
  });

  it('grows step by step once it is not', () => {
    shedding.adapt(60);
    for (let n = 0; n < 4; n += 1) shedding.adapt(10);
    expect(shedding.room).toBe(200);
    for (let n = 0; n < 40; n += 1) shedding.adapt(10);
    expect(shedding.room).toBe(1_000);
  });
});

describe('A server that has too much to do', () => {
  let fastify: FastifyInstance;
  let shedding: LoadShedding;
  let address: string;
  beforeAll(async () => {
    fastify = Fastify();
    shedding = new LoadShedding();
    shedLoad(fastify, shedding);
    fastify.get('/work', async () => 'done');
    fastify.get('/livez', async () => 'alive');
    address = await fastify.listen({ port: 0, host: '127.0.0.1' });
  });
  afterAll(() => fastify.close());

  const ask = (path: string): Promise<Response> =>
    fetch(`${address}${path}`, { signal: AbortSignal.timeout(10_000) });

  it('refuses with a problem and Retry-After, answers health, and serves again', async () => {
    let others = 0;
    while (shedding.enter()) others += 1;
    const refused = await ask('/work?much');
    const { status, headers } = refused;
    expect([status, headers.get('retry-after'), headers.get('content-type')]).toEqual([
      503,
      '1',
      'application/problem+json',
    ]);
    expect(await refused.json()).toMatchObject({ code: 'server.overloaded', status: 503, instance: '/work' });
    expect((await ask('/livez?verbose')).status).toBe(200);
    for (; others > 0; others -= 1) shedding.leave();
    // Each of them gives its place back.
    for (let n = 0; n < 5; n += 1) expect((await ask('/work')).status).toBe(200);
    shedding.adapt(0);
    expect(await metricOf('holdfast_http_requests_at_work')).toBe(0);
  });
});

async function metricOf(name: string): Promise<number> {
  const { text } = await metricsText();
  return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1]);
}
