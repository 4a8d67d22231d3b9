import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { freePort, hasRedisServer, startRedis, stopRedis, TestDatabase } from '@holdfast/testing';
import { Redis } from 'ioredis';
import { checkQueueBackend, QueueBackendAway, QueueBackendUnfit } from './check-backend';

const HELLO = '%1\r\n$5\r\nproto\r\n:3\r\n';

/** A server that speaks as much of Redis as the check hears, as an old or a strict one would; it knows no CONFIG. */
async function answering(info: string, hello = HELLO): Promise<[Server, string]> {
  const answers: Readonly<Record<string, string>> = {
    hello,
    client: '+OK\r\n',
    info: info.startsWith('-') ? info : `$${info.length}\r\n${info}\r\n`,
  };
  const server = createServer((socket) => {
    socket.on('error', () => {}); // Whoever asks goes away when they have heard enough.
    socket.on('data', (data) => {
      for (const [, name = ''] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) {
        socket.write(answers[name.toLowerCase()] ?? '-ERR unknown command\r\n');
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return [server, `redis://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`];
}

const check = (url: string): Promise<readonly string[]> => checkQueueBackend({ kind: 'redis', url }, 1_000);

// Guards that queues are not kept where they are dropped.
(hasRedisServer() ? describe : describe.skip)('The check of a Redis for queues', () => {
  let port: number;
  let server: ChildProcess;
  let redis: Redis;

  beforeAll(async () => {
    port = await freePort();
    server = await startRedis(port);
    redis = new Redis(port);
  });
  afterAll(async () => {
    redis.disconnect();
    server.kill('SIGCONT');
    await stopRedis(server);
  });

  it('accepts noeviction, and refuses every policy that drops keys with what to do about it', async () => {
    const url = `redis://127.0.0.1:${port}`;
    expect(await check(url)).toEqual([]);
    for (const policy of ['allkeys-lru', 'volatile-ttl']) {
      await redis.config('SET', 'maxmemory-policy', policy);
      await expect(check(url)).rejects.toThrow(QueueBackendUnfit);
      await expect(check(url)).rejects.toThrow('set it to noeviction');
    }
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    expect(await check(url)).toEqual([]);
  });

  it('says that it does not know of one that hangs, soon', async () => {
    server.kill('SIGSTOP');
    await expect(check(`redis://127.0.0.1:${port}`)).rejects.toThrow(QueueBackendAway);
    server.kill('SIGCONT');
  });

  it('says that it does not know of one that is not there', async () => {
    await expect(check(`redis://127.0.0.1:${await freePort()}`)).rejects.toThrow(QueueBackendAway);
  });
});

describe('The check of a Redis that says otherwise', () => {
  const opened: Server[] = [];
  afterEach(() => opened.splice(0).forEach((server) => server.close()));
  const ask = async (info: string, hello?: string): Promise<readonly string[]> => {
    const [server, url] = await answering(info, hello);
    opened.push(server);
    return check(url);
  };

  it.each(['2.8.24', '6.0.16', '6.1.240'])('refuses version %s', async (version) => {
    const info = `# Server\r\nredis_version:${version}\r\nmaxmemory_policy:noeviction`;
    await expect(ask(info)).rejects.toThrow(`Redis is of version ${version}`);
  });

  it('refuses one that is too old to say hello', async () => {
    await expect(ask('', '-ERR unknown command\r\n')).rejects.toThrow('older than 6');
  });

  it.each(['6.2.0', '7.0.15', '10.0.1'])('accepts version %s', async (version) => {
    expect(await ask(`redis_version:${version}\r\nmaxmemory_policy:noeviction`)).toEqual([]);
  });

  it('warns where the policy is kept secret, and where INFO is', async () => {
    expect(await ask('redis_version:7.2.0')).toEqual([expect.stringContaining('does not tell')]);
    expect(await ask("-NOPERM this user has no permissions to run the 'info' command\r\n")).toEqual([
      expect.stringContaining('INFO'),
    ]);
  });
});

describe('The check of a PostgreSQL for queues', () => {
  let database: TestDatabase;
  beforeAll(async () => void (database = await TestDatabase.create()));
  afterAll(() => database.drop());

  it('makes the tables, and refuses those of a later BullMQ', async () => {
    const backend = { kind: 'postgres', url: database.url('holdfast_jobs') } as const;
    expect(await checkQueueBackend(backend, 5_000)).toEqual([]);
    await database.admin('update jobs.migration set min_client_version = 99 where version = 1');
    await expect(checkQueueBackend(backend, 5_000)).rejects.toThrow(QueueBackendUnfit);
  });

  it('says that it does not know of one that is not there', async () => {
    const url = `postgresql://holdfast_jobs@127.0.0.1:${await freePort()}/none`;
    await expect(checkQueueBackend({ kind: 'postgres', url }, 1_000)).rejects.toThrow(QueueBackendAway);
  });
});
