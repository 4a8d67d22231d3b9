import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Limits } from '@holdfast/limits';
import { freePort, hasRedisServer, startRedis, stopRedis } from '@holdfast/testing';
import { TestApi } from './test-api';

/** A way to Redis on which every answer can come one byte at a time. */
class SlowWay {
  /** Between two bytes of an answer, in milliseconds; 0: answers come as they are. */
  byteMs = 0;
  /** How often Redis was sent something. */
  asked = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    readonly port: number,
    private readonly server: Server,
  ) {}

  static async to(target: number): Promise<SlowWay> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const way = new SlowWay(typeof address === 'object' && address ? address.port : 0, server);
    server.on('connection', (client) => way.carry(client, connect(target, '127.0.0.1')));
    return way;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private carry(client: Socket, redis: Socket): void {
    for (const [one, other] of [
      [client, redis],
      [redis, client],
    ] as const) {
      this.sockets.add(one);
      one.on('error', () => {}); // Its other side is ended in the next line.
      one.on('close', () => other.destroy());
    }
    client.on('data', (data) => {
      this.asked += 1;
      redis.write(data);
    });
    let sent = Promise.resolve();
    redis.on('data', (data) => void (sent = sent.then(() => this.answer(client, data))));
  }

  private async answer(client: Socket, data: Buffer): Promise<void> {
    if (this.byteMs === 0) return void client.write(data);
    for (const byte of data) {
      if (client.destroyed) return;
      client.write(Buffer.of(byte));
      await sleep(this.byteMs);
    }
  }
}

/** As many as a page of an application sends: enough that each waiting for Redis would be seen. */
const REQUESTS = 40;

// Guards reliability, row 10: requests answer as before, whatever Redis does.
(hasRedisServer() ? describe : describe.skip)('Requests beside a Redis', () => {
  let api: TestApi;
  let redis: ChildProcess;
  let way: SlowWay;
  let key: string;
  /** Whether limits are shared through Redis, as was said last. */
  let isShared = true;

  beforeAll(async () => {
    const port = await freePort();
    redis = await startRedis(port);
    way = await SlowWay.to(port);
    api = await TestApi.start({
      redisUrl: `redis://127.0.0.1:${way.port}`,
      onShared: (shared) => void (isShared = shared),
    });
    ({ key } = await api.tenant());
  });
  afterAll(async () => {
    redis.kill('SIGCONT');
    await stopRedis(redis);
    way.close();
    await api.close();
  });
  beforeEach(async () => {
    const answers = (): Promise<boolean> =>
      api.app
        .get(Limits)
        .checkShared()
        .then(
          () => true,
          () => false,
        );
    const endsAt = Date.now() + 15_000;
    const sharesAgain = async (): Promise<boolean> => {
      await ask();
      return (await answers()) && isShared;
    };
    while (!(await sharesAgain()) && Date.now() < endsAt);
  });

  async function ask(): Promise<void> {
    const { status } = await api.ask('GET', '/v1/ledger/accounts?limit=1', { key });
    expect(status).toBe(200);
  }

  /** Of how many requests Redis was asked. */
  async function askedOf(requests: number): Promise<number> {
    const before = way.asked;
    for (let sent = 0; sent < requests; sent += 1) await ask();
    return way.asked - before;
  }

  it('that hangs are answered without it', async () => {
    expect(await askedOf(REQUESTS)).toBeGreaterThanOrEqual(REQUESTS);
    redis.kill('SIGSTOP');
    const asked = await askedOf(REQUESTS);
    expect(isShared).toBe(false);
    redis.kill('SIGCONT');
    // One waits for its deadline, and one a second looks whether it is back; who does not ask does not wait.
    expect(asked).toBeLessThan(REQUESTS / 2);
  });

  it('whose answers drip are answered without it', async () => {
    way.byteMs = 200;
    const asked = await askedOf(REQUESTS);
    expect(isShared).toBe(false);
    way.byteMs = 0;
    expect(asked).toBeLessThan(REQUESTS / 2);
  });

  it('that dies are answered without it', async () => {
    await stopRedis(redis);
    await askedOf(REQUESTS);
    expect(isShared).toBe(false);
  });
});
