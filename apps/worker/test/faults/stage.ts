import type { ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TelemetryStore } from '@holdfast/clickhouse';
import { EmbeddedPostgres } from '@holdfast/embedded';
import {
  freePort,
  hasRedisServer,
  prepareTemplate,
  startRedis,
  stopRedis,
  TcpProxy,
  TestClickHouse,
  TestDatabase,
} from '@holdfast/testing';

/** Where BullMQ keeps its queues. */
export type QueueKind = 'redis' | 'postgres';

/** Queues that this machine can run. */
export function queueKinds(): readonly QueueKind[] {
  if (hasRedisServer()) return ['postgres', 'redis'];
  process.stdout.write('Faults of Redis are left out: no redis-server on PATH.\n');
  return ['postgres'];
}

interface Servers {
  readonly directory: string;
  readonly redisPort: number;
  readonly clickHouse: TestClickHouse;
  /** What stands between the workers and ClickHouse. */
  readonly clickHouseProxy: TcpProxy;
  /** ClickHouse as the test reads it, past the proxy. */
  readonly telemetry: TelemetryStore;
}

/** The servers of a suite of faults: its own, each of which it may stop, cut, empty and start again. */
export class Stage {
  private constructor(
    private readonly servers: Servers,
    private running: EmbeddedPostgres,
    private redis: ChildProcess | undefined,
  ) {}

  /** Starts all of them. */
  static async open(): Promise<Stage> {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-faults-'));
    chmodSync(directory, 0o755); // The server runs as another user when the tests run as root.
    const postgres = await EmbeddedPostgres.start(postgresOptions(directory));
    await prepareTemplate(postgres.url());
    const redisPort = await freePort();
    const redis = hasRedisServer() ? await startRedis(redisPort) : undefined;
    const clickHouse = await TestClickHouse.open('front');
    const clickHouseProxy = await TcpProxy.start(Number(frontOf(clickHouse).port));
    const telemetry = new TelemetryStore({ url: frontOf(clickHouse).href });
    await telemetry.migrate();
    return new Stage({ directory, redisPort, clickHouse, clickHouseProxy, telemetry }, postgres, redis);
  }

  get postgres(): EmbeddedPostgres {
    return this.running;
  }

  get redisPort(): number {
    return this.servers.redisPort;
  }

  get clickHouseProxy(): TcpProxy {
    return this.servers.clickHouseProxy;
  }

  get telemetry(): TelemetryStore {
    return this.servers.telemetry;
  }

  /** A database for one run, with the tables of the group `effects` and of its writers. */
  async database(): Promise<TestDatabase> {
    const database = await TestDatabase.createOn(this.postgres.url());
    for (const text of PROBE) await database.admin(text);
    return database;
  }

  /** What a worker on that database is configured with. */
  environment(database: TestDatabase, queues: QueueKind): Readonly<Record<string, string>> {
    const clickHouse = frontOf(this.servers.clickHouse);
    clickHouse.port = String(this.clickHouseProxy.port);
    return {
      DATABASE_URL: database.url('holdfast_app'),
      DATABASE_AUTH_URL: database.url('holdfast_auth'),
      DATABASE_RELAY_URL: database.url('holdfast_relay'),
      CLICKHOUSE_URL: clickHouse.href,
      ...(queues === 'redis'
        ? { REDIS_URL: `redis://127.0.0.1:${this.redisPort}` }
        : { DATABASE_JOBS_URL: database.url('holdfast_jobs') }),
    };
  }

  /** Crashes PostgreSQL and starts it again at the same port; it recovers from its log. */
  async restartPostgres(): Promise<void> {
    const { port } = this.postgres;
    await this.postgres.stop('immediate');
    this.running = await EmbeddedPostgres.start({ ...postgresOptions(this.servers.directory), port });
  }

  /** A file of one run. */
  file(name: string): string {
    return join(this.servers.directory, name);
  }

  async stopRedis(): Promise<void> {
    if (this.redis) await stopRedis(this.redis);
  }

  async startRedis(): Promise<void> {
    if (this.redis) this.redis = await startRedis(this.redisPort);
  }

  async close(): Promise<void> {
    await this.stopRedis();
    await this.telemetry.close();
    await this.clickHouseProxy.close();
    await this.servers.clickHouse.close();
    await this.postgres.stop('immediate');
    rmSync(this.servers.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

function postgresOptions(directory: string): Parameters<typeof EmbeddedPostgres.start>[0] {
  // Processes die here, and never the machine: what was written to its files survives without fsync.
  return { directory: join(directory, 'postgres'), password: 'holdfast', settings: { fsync: 'off' } };
}

function frontOf({ endpoint }: TestClickHouse): URL {
  if (!('url' in endpoint)) throw new Error('the stage needs a ClickHouse over HTTP');
  return new URL(endpoint.url);
}

/** The tables of the group `effects` and of its writers. */
export const PROBE = [
  'create schema probe',
  `create table probe.keys (
     tenant_id uuid, key uuid, version bigint not null default 0, primary key (tenant_id, key))`,
  'create table probe.effects (tenant_id uuid, event_id uuid, times int not null, at timestamptz not null default clock_timestamp(), primary key (tenant_id, event_id))',
  'create table probe.folds (tenant_id uuid, stream_id uuid, versions bigint[] not null, primary key (tenant_id, stream_id))',
  'grant usage on schema probe to holdfast_app',
  'grant select, insert, update, delete on all tables in schema probe to holdfast_app',
];
