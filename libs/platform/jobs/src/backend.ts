import type { RedisOptions } from 'ioredis';
import {
  createPostgresBackend,
  createRedisBackend,
  type Job,
  type JobsOptions,
  type PgQueryable,
  PostgresConnection,
  type PostgresConnectionOptions,
  runMigrations,
  withBackend,
} from 'bullmq';
import { RedisConnections } from './redis-connections';

/** Where BullMQ keeps its queues: Redis, or a schema of PostgreSQL where there is no Redis. */
export type QueueBackend =
  { readonly kind: 'redis'; readonly url: string } | { readonly kind: 'postgres'; readonly url: string };

interface KeyJob {
  readonly key: string;
}

/** What is used of BullMQ's Job. */
export interface QueuedJob {
  readonly data: KeyJob;
  remove(): Promise<void>;
}

/** What is used of BullMQ's Queue, whose type differs by backend. */
export interface OpenQueue {
  addBulk(jobs: { name: string; data: KeyJob; opts: JobsOptions }[]): Promise<unknown>;
  drain(delayed: boolean): Promise<void>;
  trimEvents(maxLength: number): Promise<unknown>;
  getJobs(types: ('waiting' | 'delayed' | 'failed')[], start: number, end: number): Promise<QueuedJob[]>;
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** What is used of BullMQ's Worker. */
export interface OpenWorker {
  waitUntilReady(): Promise<unknown>;
  run(): Promise<void>;
  close(force?: boolean): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'failed', listener: (job: unknown, error: Error) => void): unknown;
}

/** One end of a queue, and the connections under it. */
export interface Opened<End> {
  readonly end: End;
  /** Ends the connections that closing has left, which it does where the server died first. */
  readonly release: () => void;
}

interface Pace {
  readonly concurrency: number;
  readonly lockDuration: number;
  readonly stalledInterval: number;
  readonly runRetryDelay: number;
  readonly autorun: boolean;
}

/** All keys in Redis begin with it. */
const PREFIX = 'holdfast';

const onPostgres = withBackend(createPostgresBackend);
const onRedis = withBackend(createRedisBackend);

/** The end of a queue that adds. It never waits for a server that is away. */
export function openQueue(
  backend: QueueBackend,
  name: string,
  connectTimeoutMs: number,
  report: (error: Error) => void,
): Opened<OpenQueue> {
  if (backend.kind === 'postgres') {
    const connection = postgresConnection(backend.url, connectTimeoutMs);
    return { end: new onPostgres.Queue<KeyJob>(name, { connection }), release: () => {} };
  }
  const connections = new RedisConnections(report);
  // Without the offline queue a command fails at once while Redis is away, instead of waiting for it.
  const options = { ...redisOptions(backend.url, connectTimeoutMs), enableOfflineQueue: false };
  const end = new onRedis.Queue<KeyJob>(name, { connection: connections.open(options), prefix: PREFIX });
  return { end, release: () => connections.end() };
}

/** The end of a queue that works. It reconnects for as long as it is open. */
export function openWorker(
  backend: QueueBackend,
  name: string,
  handler: (key: string) => Promise<void>,
  pace: Pace,
  report: (error: Error) => void,
): Opened<OpenWorker> {
  const work = (job: Job<KeyJob>): Promise<void> => handler(job.data.key);
  if (backend.kind === 'postgres') {
    const connection = postgresConnection(backend.url);
    return {
      end: new onPostgres.Worker<KeyJob, void>(name, work, { ...pace, connection }),
      release: () => {},
    };
  }
  const connections = new RedisConnections(report);
  // BullMQ makes two copies, one for the call that waits for the next job, and leaves this one alone.
  const connection = connections.open({ ...redisOptions(backend.url), lazyConnect: true });
  const end = new onRedis.Worker<KeyJob, void>(name, work, { ...pace, connection, prefix: PREFIX });
  return { end, release: () => connections.end() };
}

/** What `REDIS_URL` says, as the driver takes it. */
export function redisOptions(url: string, connectTimeout = 10_000): RedisOptions {
  const { hostname, port, username, password, pathname, protocol } = new URL(url);
  return {
    host: hostname,
    port: Number(port || 6379),
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(pathname.length > 1 && { db: Number(pathname.slice(1)) }),
    ...(protocol === 'rediss:' && { tls: {} }),
    connectTimeout,
    maxRetriesPerRequest: null,
  };
}

/**
 * Creates and updates BullMQ's tables, as the role that owns their schema. Several processes at once wait for each other.
 *
 * BullMQ's own `migrate: true` begins with `create schema if not exists`, for which PostgreSQL asks the right to create
 * schemas even where the schema exists, and this role has no other business in the database.
 */
export async function prepareBackend(backend: QueueBackend, connectTimeoutMs: number): Promise<void> {
  if (backend.kind === 'redis') return;
  const connection = new PostgresConnection(postgresConnection(backend.url, connectTimeoutMs));
  try {
    const client = await connection.pool.connect();
    // A server that ends meanwhile fails the query too, where it is heard; with nobody listening here it ended the process.
    client.on('error', () => {});
    const session: PgQueryable = {
      query: (text, values) =>
        text.startsWith('CREATE SCHEMA')
          ? Promise.resolve({ rows: [], rowCount: 0 })
          : client.query(text, values),
    };
    try {
      await runMigrations(session, SCHEMA);
    } finally {
      client.release();
    }
  } finally {
    await connection.close();
  }
}

/**
 * Empties BullMQ's journal of a queue, which nobody here reads and which names the keys of its last ten thousand jobs. Its
 * backend on PostgreSQL keeps one as well, and has no call of its own to shorten it.
 */
export async function emptyJournal(backend: QueueBackend, name: string, queue: OpenQueue): Promise<void> {
  if (backend.kind === 'redis') return void (await queue.trimEvents(0));
  const connection = new PostgresConnection(postgresConnection(backend.url));
  try {
    await connection.pool.query('delete from jobs.event where queue = $1', [name]);
  } finally {
    await connection.close();
  }
}

const SCHEMA = 'jobs';

function postgresConnection(url: string, connectionTimeoutMillis = 10_000): PostgresConnectionOptions {
  return {
    connectionString: url,
    schema: SCHEMA,
    // Two in use at once: the claim of the next job, and the completion of the last.
    max: 2,
    connectionTimeoutMillis,
    application_name: 'holdfast jobs',
  };
}
