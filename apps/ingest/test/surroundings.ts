import type { ChildProcess } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedPostgres } from '@holdfast/embedded';
import { freePort, hasRedisServer, startRedis, stopRedis } from '@holdfast/testing';
import {
  DevProcess,
  freshCheckout,
  holdfast,
  lives,
  postgresPid,
  removeCheckout,
} from '../../cli/test/dev-process';
import { makeTenant, Servers } from '../../cli/test/servers';
import type { Scene } from './scene';

const READY_WITHIN_MS = 60_000;
const OPERATOR_KEY = 'operator-of-the-surroundings';

/** A write key as the API answers it. */
export interface MadeWriteKey {
  readonly id: string;
  readonly key: string;
}

/** What stands around ingest in production, each to be killed and started again: PostgreSQL, Redis, and the API on both. */
export class Surroundings {
  private api: DevProcess | undefined;
  private redis: ChildProcess | undefined;
  private postgres: EmbeddedPostgres | undefined;
  private readonly checkout = freshCheckout();

  private constructor(
    private readonly scene: Scene,
    private readonly redisPort: number,
  ) {}

  private servers: Servers | undefined;
  /** Of the tenant `testers`. */
  private apiKey = '';

  /** Starts all three, with a tenant. */
  static async start(scene: Scene): Promise<Surroundings> {
    const around = new Surroundings(scene, await freePort());
    around.servers = await Servers.start(around.checkout);
    await around.startRedis();
    around.apiKey = await makeTenant(around.checkout, around.environment);
    await around.startApi();
    return around;
  }

  /** Makes a write key of the tenant. */
  async makeWriteKey(name: string): Promise<MadeWriteKey> {
    const answer = await this.ask('POST', '/v1/telemetry/write-keys', { name });
    return (await answer.json()) as MadeWriteKey;
  }

  /** Begins a drill, as an operator does. */
  async drill(body: { policy: string; does: string; seconds: number }): Promise<void> {
    const { status } = await this.ask('POST', '/v1/operator/drills', body, OPERATOR_KEY);
    if (status !== 202) throw new Error(`the drill was answered ${status}`);
  }

  async revoke({ id }: MadeWriteKey): Promise<void> {
    const { ok, status } = await this.ask('DELETE', `/v1/telemetry/write-keys/${id}`);
    if (!ok) throw new Error(`revoking answered ${status}`);
  }

  /** Runs `holdfast <words>` and answers what it prints as JSON. */
  async command(...words: readonly string[]): Promise<Record<string, unknown>> {
    const { code, stdout, stderr } = await holdfast(this.checkout, [...words, '--json'], this.environment);
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  /** What the API says of itself: 0 when nobody answers. */
  async readiness(): Promise<number> {
    const answer = await fetch(`${this.scene.apiUrl}/readyz`).catch(() => undefined); // Nobody listens.
    await answer?.arrayBuffer();
    return answer?.status ?? 0;
  }

  async isRedisThere(): Promise<boolean> {
    return Promise.resolve(this.redis?.exitCode === null && this.redis.signalCode === null);
  }

  async killPostgres(): Promise<void> {
    const pid = postgresPid(this.checkout) ?? 0;
    process.kill(pid, 'SIGQUIT');
    while (lives(pid)) await sleep(20);
  }

  async startPostgres(): Promise<void> {
    const { port } = new URL(this.environment['DATABASE_ADMIN_URL'] ?? '');
    const directory = join(this.checkout, '.holdfast/postgres');
    this.postgres = await EmbeddedPostgres.start({ directory, password: 'servers', port: Number(port) });
    await until(async () => !this.api || this.api.isOver || (await this.readiness()) === 200);
  }

  async killRedis(): Promise<void> {
    if (this.redis) await stopRedis(this.redis);
  }

  async startRedis(): Promise<void> {
    if (hasRedisServer()) this.redis = await startRedis(this.redisPort);
  }

  async killApi(): Promise<void> {
    await this.api?.signal('SIGKILL');
  }

  /** Answers nothing until it goes on, at once; a start takes seconds. */
  pauseApi(): void {
    void this.api?.signal('SIGSTOP');
  }

  resumeApi(): void {
    void this.api?.signal('SIGCONT');
  }

  async startApi(): Promise<void> {
    this.api = new DevProcess(this.checkout, ['api'], {
      ...this.environment,
      HOLDFAST_PORT: new URL(this.scene.apiUrl).port,
    });
    await until(async () => (await this.readiness()) === 200);
  }

  async close(): Promise<void> {
    await this.killApi();
    await this.killRedis();
    await this.postgres?.stop();
    await this.servers?.stop();
    removeCheckout(this.checkout);
  }

  private get environment(): Readonly<Record<string, string>> {
    return {
      ...this.servers?.environment,
      ...(hasRedisServer() && { REDIS_URL: `redis://127.0.0.1:${this.redisPort}` }),
      CLICKHOUSE_URL: this.scene.store.url,
      WRITE_KEY_PRIVATE: this.scene.privateKey,
      OPERATOR_KEY_HASH: createHash('sha256').update(OPERATOR_KEY).digest('hex'),
    };
  }

  private ask(method: 'POST' | 'DELETE', path: string, body?: object, key = this.apiKey): Promise<Response> {
    return fetch(`${this.scene.apiUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        'idempotency-key': randomUUID(),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
  }
}

/** Waits until something is so. */
export async function until(isSo: () => Promise<boolean>, withinMs = READY_WITHIN_MS): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error('it took too long');
    await sleep(100);
  }
}
