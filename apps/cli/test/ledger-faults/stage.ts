import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, prepareTemplate, TcpProxy, TestDatabase, type TestRole } from '@holdfast/testing';
import { DevProcess, freshCheckout, removeCheckout } from '../dev-process';
import { PostgresPair } from './postgres-pair';

const OPERATOR_KEY = 'operator-of-the-faults';
/** Lets the test make tenants, and nobody have a quota: what is tried is not that. */
export const OPERATOR_SETTINGS = {
  OPERATOR_KEY_HASH: createHash('sha256').update(OPERATOR_KEY).digest('hex'),
  HOLDFAST_LIMITS: 'off',
};
/** A second or two on a machine of one's own, and a minute on one that ten others use as well. */
const READY_WITHIN_MS = 150_000;

/** An API process that can be killed and started again at its port. */
export class Api {
  private process: DevProcess | undefined;

  constructor(
    private readonly checkout: string,
    private readonly environment: Readonly<Record<string, string>>,
    readonly url: string,
    private readonly metricsUrl: string,
  ) {}

  /** Starts it and waits until it is ready; answers how long that took, in milliseconds. */
  async start(): Promise<number> {
    const startedAtMs = performance.now();
    this.process = new DevProcess(this.checkout, ['api'], this.environment);
    await this.untilReady();
    return performance.now() - startedAtMs;
  }

  /** Waits until it says that it is ready. */
  async untilReady(): Promise<void> {
    for (const deadline = Date.now() + READY_WITHIN_MS; !(await this.isReady()); await sleep(20))
      if (Date.now() > deadline) throw new Error(`the API does not become ready:\n${await this.kill()}`);
  }

  /** Starts it where a run has left it dead. */
  async revive(): Promise<void> {
    if (this.process === undefined || this.process.isOver) await this.start();
  }

  /** What its metrics say under a name with labels; undefined where nothing is said. */
  async metric(series: string): Promise<number | undefined> {
    const text = await (await fetch(`${this.metricsUrl}/metrics`)).text();
    const line = text.split('\n').find((each) => each.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length));
  }

  /** Kills it with the signal that nobody can catch; answers what it has printed. */
  async kill(): Promise<string> {
    const ended = await this.process?.signal('SIGKILL');
    return `${ended?.stdout ?? ''}${ended?.stderr ?? ''}`;
  }

  private async isReady(): Promise<boolean> {
    // Nobody listens: that is not ready.
    const answer = await fetch(`${this.url}/readyz`).catch(() => undefined);
    await answer?.arrayBuffer().catch(() => {}); // Killed in the middle of it.
    return answer?.status === 200;
  }
}

/** A tenant with a key that may do everything. */
export interface Tenant {
  readonly id: string;
  readonly key: string;
}

interface Parts {
  readonly checkout: string;
  readonly pair: PostgresPair;
  readonly wire: TcpProxy;
  /** The test's own way to the primary, which no fault cuts for longer than a failover. */
  readonly door: TcpProxy;
  readonly database: TestDatabase;
  readonly apis: readonly [Api, Api];
}

/** The servers of the fault runs: a pair of PostgreSQL, a proxy between it and the APIs, and two API processes. */
export class Stage {
  private constructor(private readonly parts: Parts) {}

  static async open(): Promise<Stage> {
    const pair = await PostgresPair.start();
    const [wire, door] = [await TcpProxy.start(pair.port), await TcpProxy.start(pair.port)];
    const adminUrl = new URL(pair.url());
    adminUrl.port = String(door.port);
    await prepareTemplate(adminUrl.href);
    const database = await TestDatabase.createOn(adminUrl.href);
    await pair.join();
    const checkout = freshCheckout();
    const api = async (): Promise<Api> => {
      const port = await freePort();
      const metricsPort = await freePort();
      const own = { HOLDFAST_PORT: String(port), HOLDFAST_METRICS_PORT: String(metricsPort) };
      const environment = { ...environmentOf(database, wire.port), ...own };
      const urls = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${metricsPort}`] as const;
      return new Api(checkout, environment, ...urls);
    };
    const apis = [await api(), await api()] as const;
    await Promise.all(apis.map((each) => each.revive()));
    return new Stage({ checkout, pair, wire, door, database, apis });
  }

  get pair(): PostgresPair {
    return this.parts.pair;
  }

  /** Between the APIs and the primary: what faults of the network happen to. */
  get wire(): TcpProxy {
    return this.parts.wire;
  }

  get database(): TestDatabase {
    return this.parts.database;
  }

  get apis(): readonly [Api, Api] {
    return this.parts.apis;
  }

  /** Puts right what a run that failed has left broken, so that the next one tells of itself. */
  async mend(): Promise<void> {
    await this.wire.set('pass');
    await this.pair.mend();
    await Promise.all(this.apis.map((api) => api.revive()));
  }

  /** Starts a worker behind the wire; whoever starts it ends it. */
  startWorker(): DevProcess {
    const { checkout, database, wire } = this.parts;
    return new DevProcess(checkout, ['worker'], environmentOf(database, wire.port));
  }

  /** The proxies lead to whoever is the primary. */
  followPrimary(): void {
    for (const proxy of [this.wire, this.parts.door]) proxy.retarget(this.pair.port);
  }

  /** Makes a tenant that may have more of everything than a run makes. */
  tenant(): Promise<Tenant> {
    return operatedTenant(this.apis[0].url);
  }

  async close(): Promise<void> {
    await Promise.all(this.apis.map((api) => api.kill()));
    removeCheckout(this.parts.checkout);
    await this.wire.close();
    await this.parts.door.close();
    await this.pair.close();
  }
}

/** Makes a tenant that may have more of everything than a run makes, at an API with OPERATOR_SETTINGS. */
export async function operatedTenant(url: string): Promise<Tenant> {
  const slug = `t-${randomUUID()}`;
  const { id } = await operate(url, 'POST', '/v1/operator/tenants', { slug, name: slug });
  await operate(url, 'PATCH', `/v1/operator/tenants/${id}`, { plan: 'enterprise' });
  const keys = `/v1/operator/tenants/${id}/api-keys`;
  const { secret } = await operate(url, 'POST', keys, { name: 'test', scopes: ['*'] });
  return { id: id ?? '', key: secret ?? '' };
}

async function operate(
  url: string,
  method: string,
  path: string,
  body: object,
): Promise<Record<string, string>> {
  const answer = await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${OPERATOR_KEY}`,
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Record<string, string>;
}

function environmentOf(database: TestDatabase, port: number): Readonly<Record<string, string>> {
  const url = (role: TestRole): string => {
    const behind = new URL(database.url(role));
    behind.port = String(port);
    return behind.href;
  };
  return {
    DATABASE_URL: url('holdfast_app'),
    DATABASE_AUTH_URL: url('holdfast_auth'),
    DATABASE_OPS_URL: url('holdfast_ops'),
    DATABASE_RELAY_URL: url('holdfast_relay'),
    DATABASE_JOBS_URL: url('holdfast_jobs'),
    // Nothing here reads telemetry, and no API waits for its store.
    CLICKHOUSE_URL: 'http://127.0.0.1:9',
    ...OPERATOR_SETTINGS,
    LOG_LEVEL: 'warn',
  };
}
