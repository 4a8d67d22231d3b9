import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Receiver, RECEIVER_CERTIFICATE, RECEIVER_KEY } from '@holdfast/testing';
import { AddressPolicy } from './address-policy';
import { type Answer, Postman, type PostLimits } from './post';
import type { ResolveHost } from './resolver';

const LIMITS = { totalMs: 1_500 };

describe('The postman', () => {
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  });

  async function receiver(behave?: Receiver['behave'], host?: string): Promise<Receiver> {
    const started = await Receiver.start(behave, host);
    closing.push(() => started.stop());
    return started;
  }

  /** A server that answers with bytes of its own. */
  async function raw(serve: (socket: Socket) => unknown): Promise<string> {
    const server = createServer((socket) => {
      socket.on('error', () => {}); // The postman hangs up, and is meant to.
      socket.once('data', () => void serve(socket));
    });
    return listening(server);
  }

  async function listening(server: Server): Promise<string> {
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => sockets.add(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  async function post(
    url: string,
    more: {
      readonly networks?: readonly string[];
      readonly resolve?: ResolveHost;
      readonly limits?: Partial<PostLimits>;
      readonly ca?: string;
    } = {},
  ): Promise<Answer> {
    const { networks = ['127.0.0.1/32'], resolve = nobody, limits = LIMITS, ca } = more;
    const policy = new AddressPolicy(networks);
    const postman = new Postman({ policy, resolve, limits, ...(ca !== undefined && { ca }) });
    try {
      return await postman.post({ url, headers: { 'content-type': 'a/b' }, body: Buffer.from('{}') });
    } finally {
      await postman.close();
    }
  }

  const nobody: ResolveHost = () => Promise.reject(new Error('a name was asked for'));

  describe('of receivers that misbehave', () => {
    it('says so of one that hangs, when the time is over', async () => {
      const { url } = await receiver(() => {});
      const answer = await post(url);
      expect(answer).toMatchObject({ outcome: 'timeout', status: null });
      expect(answer.latencyMs).toBeGreaterThanOrEqual(1_400);
    });

    it('says so of one that sends its headers drop by drop', async () => {
      const url = await raw(async (socket) => {
        socket.write('HTTP/1.1 200 OK\r\n');
        for (let n = 0; !socket.destroyed; n += 1) {
          socket.write(`x-${n}: y\r\n`);
          await sleep(50);
        }
      });
      expect(await post(url)).toMatchObject({ outcome: 'timeout' });
    });

    it('takes the status of one whose body never ends, and hangs up', async () => {
      const url = await raw(async (socket) => {
        socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
        while (!socket.destroyed) {
          socket.write('1\r\nx\r\n');
          await sleep(50);
        }
      });
      expect(await post(url)).toMatchObject({ outcome: 'delivered', status: 200 });
    });

    it('reads no more of a large body than it has to, and keeps less', async () => {
      let sent = 0;
      const url = await raw((socket) => {
        socket.write('HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n');
        const piece = `10000\r\n${'x'.repeat(65_536)}\r\n`;
        const pour = (): void => {
          while (!socket.destroyed && sent < 1e9 && socket.write(piece)) sent += 65_536;
          if (!socket.destroyed) socket.once('drain', pour);
        };
        pour();
      });
      const answer = await post(url);
      expect(answer).toMatchObject({ outcome: 'status', status: 500 });
      expect(answer.responseBody).toHaveLength(4_096);
      expect(sent).toBeLessThan(50_000_000);
    });

    it('reads an answer that comes byte by byte', async () => {
      const url = await raw(async (socket) => {
        for (const byte of 'HTTP/1.1 202 Yes\r\ncontent-length: 2\r\n\r\nok') {
          socket.write(byte);
          await sleep(1);
        }
      });
      const answer = await post(url, { limits: { totalMs: 10_000 } });
      expect(answer).toMatchObject({ outcome: 'delivered', status: 202, responseBody: 'ok' });
    });

    it.each([
      ['resets the connection', (socket: Socket) => socket.resetAndDestroy(), 'connection_lost'],
      ['hangs up', (socket: Socket) => socket.end(), 'connection_lost'],
      ['does not speak HTTP', (socket: Socket) => socket.end('SSH-2.0-OpenSSH\r\n\r\n'), 'malformed_answer'],
      [
        'sends headers without end',
        (socket: Socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`),
        'headers_too_large',
      ],
    ] as const)('says so of one that %s', async (_, serve, outcome) => {
      expect(await post(await raw(serve))).toMatchObject({ outcome, status: null });
    });

    it('says so of one that is not there', async () => {
      const gone = await Receiver.start();
      await gone.stop();
      expect(await post('http://127.0.0.1:9/')).toMatchObject({ outcome: 'connection_refused' });
    });

    it('keeps what PostgreSQL can hold', async () => {
      const { url } = await receiver((response) =>
        response.writeHead(200).end(Buffer.from([0x61, 0, 0xff, 0x62])),
      );
      expect((await post(url)).responseBody).toBe('a\uFFFD\uFFFDb');
    });

    it.each([429, 503])('reads the wait that %i asks for', async (status) => {
      const { url } = await receiver((response) =>
        response.writeHead(status, { 'retry-after': '120' }).end(),
      );
      expect(await post(url)).toMatchObject({ outcome: 'status', retryAfterMs: 120_000 });
    });

    it('says that one is gone', async () => {
      const { url } = await receiver((response) => response.writeHead(410).end());
      expect(await post(url)).toMatchObject({ outcome: 'gone' });
    });
  });

  describe('of addresses that it must not go to', () => {
    it('follows no redirect, be it to where the metadata of a machine are', async () => {
      const inside = await receiver(undefined, '127.0.0.2');
      for (const location of ['http://169.254.169.254/latest/meta-data', inside.url, '/elsewhere']) {
        const to = await receiver((response) => response.writeHead(307, { location }).end());
        expect(await post(to.url, { networks: ['127.0.0.0/8'] })).toMatchObject({
          outcome: 'redirect',
          status: 307,
        });
        expect(to.received).toHaveLength(1);
      }
      expect(inside.connections).toBe(0);
    });

    it.each([
      'https://127.0.0.1:8443/',
      'https://169.254.169.254/',
      'https://[::1]/',
      'https://[::ffff:10.0.0.1]/',
    ])('refuses %s without a connection', async (url) =>
      expect(await post(url, { networks: [] })).toMatchObject({ outcome: 'address_refused' }),
    );

    it('refuses a name of which one address is not permitted', async () => {
      const inside = await receiver();
      const url = `http://receiver.test:${inside.port}/`;
      const mixed = { networks: ['127.0.0.2/32'], resolve: async () => ['127.0.0.2', '127.0.0.1'] };
      expect(await post(url, mixed)).toMatchObject({ outcome: 'address_refused' });
      expect(inside.connections).toBe(0);
    });

    it('asks for a name once, and goes where that answer leads (rebinding)', async () => {
      const inside = await receiver();
      const [outside, asked] = [await receiverAt('127.0.0.2', inside.port), [] as string[]];
      const rebinding: ResolveHost = async (name) => {
        asked.push(name);
        return asked.length === 1 ? ['127.0.0.2'] : ['127.0.0.1'];
      };
      const policy = new AddressPolicy(['127.0.0.2/32']);
      const postman = new Postman({ policy, resolve: rebinding, limits: LIMITS });
      closing.push(() => postman.close());
      const posting = {
        url: `http://rebinding.test:${inside.port}/`,
        headers: { connection: 'close' },
        body: Buffer.from('{}'),
      };
      expect(await postman.post(posting)).toMatchObject({ outcome: 'delivered' });
      expect(asked).toEqual(['rebinding.test']);
      expect(await postman.post(posting)).toMatchObject({ outcome: 'address_refused' });
      expect(asked).toHaveLength(2);
      expect([outside.received.length, inside.connections]).toEqual([1, 0]);
    });

    it('says so of a name that there is not', async () => {
      expect(await post('http://nowhere.test:9/', { resolve: async () => [] })).toMatchObject({
        outcome: 'name_unknown',
      });
    });

    async function receiverAt(host: string, port: number): Promise<Receiver> {
      const started = await Receiver.start(undefined, host, port);
      closing.push(() => started.stop());
      return started;
    }
  });

  describe('by TLS', () => {
    async function tls(): Promise<number> {
      const server = createTlsServer({ cert: RECEIVER_CERTIFICATE, key: RECEIVER_KEY }, (_, response) =>
        response.writeHead(200).end(),
      );
      const url = await listening(server);
      return Number(new URL(url).port);
    }
    const resolve: ResolveHost = async () => ['127.0.0.1'];

    it('goes to a receiver that proves its name, at the address that was looked at', async () => {
      const url = `https://receiver.test:${await tls()}/`;
      expect(await post(url, { resolve, ca: RECEIVER_CERTIFICATE })).toMatchObject({ outcome: 'delivered' });
    });

    it('refuses one that is nobody’s, or another', async () => {
      const port = await tls();
      expect(await post(`https://receiver.test:${port}/`, { resolve })).toMatchObject({ outcome: 'tls' });
      const ca = RECEIVER_CERTIFICATE;
      expect(await post(`https://other.test:${port}/`, { resolve, ca })).toMatchObject({ outcome: 'tls' });
    });
  });
});
