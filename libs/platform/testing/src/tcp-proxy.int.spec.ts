import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { TcpProxy } from './tcp-proxy';

describe('A TCP proxy in front of an HTTP server', () => {
  let server: Server;
  let proxy: TcpProxy;
  let served = 0;
  beforeAll(async () => {
    server = createServer((_request, response) => {
      served += 1;
      response.end('here');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    proxy = await TcpProxy.start((server.address() as AddressInfo).port);
  });
  afterEach(() => proxy.set('pass'));
  afterAll(async () => {
    await proxy.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const ask = async (): Promise<string> => {
    const signal = AbortSignal.timeout(300);
    const answer = await fetch(`http://127.0.0.1:${proxy.port}/`, {
      signal,
      headers: { connection: 'close' },
    });
    return answer.text();
  };

  it('passes on', async () => expect(await ask()).toBe('here'));

  it('refuses, and is back at the same port', async () => {
    await proxy.set('refuse');
    await expect(ask()).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    await proxy.set('pass');
    expect(await ask()).toBe('here');
  });

  it('hangs without an answer, and the server hears nothing', async () => {
    const before = served;
    await proxy.set('hang');
    await expect(ask()).rejects.toMatchObject({ name: 'TimeoutError' });
    expect([served - before, proxy.counts.hung]).toEqual([0, 1]);
  });

  it('cuts the answer to what the server has done', async () => {
    const before = served;
    await proxy.set('cut-answers');
    await expect(ask()).rejects.toThrow('fetch failed');
    expect(served - before).toBe(1);
    expect(proxy.counts.cut).toBeGreaterThanOrEqual(1);
  });

  it('cuts only the answers that have a text in them', async () => {
    await proxy.set({ cutAt: 'there' });
    expect(await ask()).toBe('here');
    await proxy.set({ cutAt: 'here' });
    await expect(ask()).rejects.toThrow('fetch failed');
  });

  it('delays', async () => {
    await proxy.set({ delayMs: 80 });
    const startedAt = performance.now();
    expect(await ask()).toBe('here');
    expect(performance.now() - startedAt).toBeGreaterThan(150);
  });

  it('passes everything on later by a random time', async () => {
    await proxy.set({ jitterMs: 40 });
    const before = proxy.counts.late;
    for (let n = 0; n < 5; n += 1) expect(await ask()).toBe('here');
    expect(proxy.counts.late - before).toBeGreaterThanOrEqual(10);
  });

  it('passes everything on byte by byte', async () => {
    const heard: number[] = [];
    const listen = (socket: Socket): void =>
      void socket.on('data', (chunk: Buffer) => heard.push(chunk.length));
    server.on('connection', listen);
    await proxy.set({ sliceBytes: 1 });
    expect(await ask()).toBe('here');
    server.off('connection', listen);
    // The kernel may put some of them together again.
    expect(heard.length).toBeGreaterThan(10);
    expect(Math.min(...heard)).toBe(1);
  });

  it('holds everything in a black hole, and loses nothing of it', async () => {
    const before = served;
    await proxy.set('blackhole');
    const waiting = fetch(`http://127.0.0.1:${proxy.port}/`);
    await expect(ask()).rejects.toMatchObject({ name: 'TimeoutError' });
    expect([served - before, proxy.counts.held > 0]).toEqual([0, true]);
    await proxy.set('pass');
    expect(await (await waiting).text()).toBe('here');
  });
});
