import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { developmentUrl } from '@holdfast/config';
import { freePort } from '@holdfast/embedded';
import { Client } from 'pg';
import { testLogKey } from '../../../../libs/modules/audit/test/test-sealer';
import { DevProcess, type Ended, freshCheckout, holdfast, removeCheckout } from '../dev-process';
import { OPERATOR_SETTINGS, operatedTenant, type Tenant } from '../ledger-faults/stage';
import { Servers } from '../servers';
import { untilReady } from '../system-load/load-stage';

/** The code that a process runs: that of an earlier release, or today's. */
export interface Version {
  readonly name: 'old' | 'new';
  /** Absent: today's. */
  readonly program?: string;
}

/** Today's code. */
export const CURRENT: Version = { name: 'new' };

/** A process and the port at which its metrics are. */
interface Running {
  readonly process: DevProcess;
  readonly metricsPort: number;
}

/** What a client sends to: whichever process is behind it at the time. */
export interface Slot {
  readonly url: string;
  readonly version: Version['name'];
}

/** Everything that a release needs, on one database, and processes of two versions beside each other. */
export class UpdateStage {
  readonly apis: Slot[] = [];
  private readonly serving: Running[] = [];
  private readonly workers = new Map<Version['name'], Running>();

  private constructor(
    private readonly checkout: string,
    private readonly servers: Servers,
    private readonly administrator: Client,
    private readonly environment: Readonly<Record<string, string>>,
  ) {}

  /** Starts the servers with the schema of a version, and two APIs and a worker of it. */
  static async open(version: Version): Promise<UpdateStage> {
    const checkout = freshCheckout();
    const servers = await Servers.start(checkout, version);
    const adminUrl = servers.environment['DATABASE_ADMIN_URL'] ?? '';
    const signer = join(checkout, 'signer');
    mkdirSync(signer);
    const administrator = new Client({ connectionString: adminUrl });
    await administrator.connect();
    const stage = new UpdateStage(checkout, servers, administrator, {
      ...servers.environment,
      ...OPERATOR_SETTINGS,
      DATABASE_SEALER_URL: developmentUrl(adminUrl, 'holdfast_sealer'),
      AUDIT_LOG_KEY_PRIVATE: testLogKey(),
      AUDIT_SIGNER_DIRECTORY: signer,
      WEBHOOK_SECRETS_KEY: `1=${randomBytes(32).toString('base64')}`,
      WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8',
    });
    await stage.replace(0, version);
    await stage.replace(1, version);
    await stage.startWorker(version);
    return stage;
  }

  /** The database, as the administrator. */
  readonly database = {
    admin: async <Row = Record<string, unknown>>(text: string, values: unknown[] = []): Promise<Row[]> =>
      (await this.administrator.query(text, values)).rows as Row[],
  };

  /** A connection of its own, for transactions that stay open. */
  async session(): Promise<Client> {
    const client = new Client({ connectionString: this.environment['DATABASE_ADMIN_URL'] });
    await client.connect();
    return client;
  }

  tenant(): Promise<Tenant> {
    return operatedTenant(this.apis[0]?.url ?? '');
  }

  /** Nothing here is left broken by a run. */
  mend(): Promise<void> {
    return Promise.resolve();
  }

  /** Runs a verb to its end. */
  run(version: Version, ...words: readonly string[]): Promise<Ended> {
    return holdfast(this.checkout, words, this.environment, version);
  }

  /** Starts an API, has clients use it once it is ready, and ends the one that they have used, as an update does. `whenReady` comes before. */
  async replace(slot: 0 | 1, version: Version, whenReady?: () => Promise<void>): Promise<void> {
    const port = await freePort();
    const running = await this.start('api', version, { HOLDFAST_PORT: String(port) });
    await untilReady(port, running.process);
    await whenReady?.();
    this.apis[slot] = { url: `http://127.0.0.1:${port}`, version: version.name };
    const before = this.serving[slot];
    this.serving[slot] = running;
    await end(before);
  }

  async startWorker(version: Version): Promise<void> {
    this.workers.set(version.name, await this.start('worker', version));
  }

  async stopWorker({ name }: Version): Promise<void> {
    await end(this.workers.get(name));
    this.workers.delete(name);
  }

  /** What the metrics of a worker say of a series whose line begins so; undefined where they say nothing. */
  async metricOfWorker({ name }: Version, series: RegExp): Promise<number | undefined> {
    const answer = await fetch(`http://127.0.0.1:${this.workers.get(name)?.metricsPort}/metrics`);
    const line = (await answer.text()).split('\n').find((each) => series.test(each));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  }

  /** Watches who waits for a table behind a migration until it is told to stop, and answers the longest wait that it has seen, in milliseconds. */
  async watchLocks(stop: AbortSignal): Promise<number> {
    const session = await this.session();
    let longestMs = 0;
    while (!stop.aborted) {
      const { rows } = await session.query<{ ms: number | null }>(LONGEST_WAIT);
      longestMs = Math.max(longestMs, rows[0]?.ms ?? 0);
      await sleep(WATCH_EVERY_MS);
    }
    await session.end();
    return longestMs;
  }

  async close(): Promise<void> {
    await Promise.all(
      [...this.serving, ...this.workers.values()].map(({ process }) => process.signal('SIGTERM')),
    );
    await this.administrator.end();
    await this.servers.stop();
    removeCheckout(this.checkout);
  }

  private async start(
    verb: string,
    { program }: Version,
    own: Record<string, string> = {},
  ): Promise<Running> {
    const metricsPort = await freePort();
    const environment = { ...this.environment, ...own, HOLDFAST_METRICS_PORT: String(metricsPort) };
    return { process: new DevProcess(this.checkout, [verb], environment, { program }), metricsPort };
  }
}

const WATCH_EVERY_MS = 5;
const LONGEST_WAIT = `select extract(epoch from max(clock_timestamp() - waitstart))::float8 * 1000 as ms
  from pg_locks l
  where not granted and locktype = 'relation' and exists (
    select from pg_stat_activity a where a.pid = any (pg_blocking_pids(l.pid)) and a.application_name = 'holdfast migrate')`;

/** As an update ends it: at once and in order, without a word on its standard error. */
async function end(running: Running | undefined): Promise<void> {
  if (running) expect(await running.process.signal('SIGTERM')).toMatchObject({ code: 0, stderr: '' });
}
