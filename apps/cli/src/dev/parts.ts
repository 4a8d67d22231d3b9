import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Configs, developmentUrl, environmentWith, readConfig, version } from '@holdfast/config';
import { TelemetryStore } from '@holdfast/clickhouse';
import { DatabaseUnavailable } from '@holdfast/database';
import { WriteKeySigner } from '@holdfast/ingest';
import { Health, type Logger, startMetricsServer } from '@holdfast/observability';
import { configurePolicies, listPolicyStates } from '@holdfast/resilience';
import { startApi } from '../../../api/src/api';
import { startIngest } from '../../../ingest/src/ingest';
import { startWorker } from '../../../worker/src/worker';
import type { DevFile } from './dev-file';

/** The ports of the three servers. */
export interface DevPorts {
  readonly port: number;
  readonly ingestPort: number;
  readonly metricsPort: number;
}

/** What the parts are started with. */
export interface PartsOptions extends DevPorts {
  readonly config: Configs['dev'];
  readonly adminUrl: string;
  readonly clickhouseUrl: string;
  readonly operatorKey: string;
  readonly receiptKey: string;
  readonly webhookKey: string;
  readonly auditLogKey: string;
  /** Where the sealer remembers what it has signed. */
  readonly signerDirectory: string;
  readonly vaultKey: string;
  /** Where the keys of tenants are. */
  readonly vaultDirectory: string;
  readonly writeKeyPrivate: string;
  /** Where ingest keeps what a store has not taken. */
  readonly ingestDirectory: string;
  readonly logger: Logger;
  /** Takes up how each part is stopped, as soon as it runs. */
  readonly undo: AsyncDisposableStack;
  readonly stop: AbortSignal;
}

/** Requests under way are waited for all the same; no balancer has to notice first. */
const DRAIN_MS = 0;

/** Developers receive webhooks at localhost. */
const THIS_MACHINE = '127.0.0.0/8,::1/128';

/** Starts API, worker, ingest and metrics in this process, each configured as it would be alone. Answers where they are. */
export async function startParts(options: PartsOptions): Promise<Omit<DevFile, 'tenants'>> {
  const { undo, logger, stop } = options;
  const environment = environmentOf(options);
  const apiConfig = readConfig('api', environment);
  configurePolicies(apiConfig.policies);
  const telemetry = new TelemetryStore({ url: options.clickhouseUrl });
  undo.defer(() => telemetry.close());
  await telemetry.migrate();
  stop.throwIfAborted();
  const workerConfig = readConfig('worker', environment);
  const worker = await patiently(stop, () =>
    startWorker(workerConfig, { logger, telemetry, serveMetrics: false }),
  );
  undo.defer(() => worker.stop());
  // Ingest starts behind the API, which it asks for the list of keys, and stops behind it: the API sends to the last.
  const behindApi = undo.use(new AsyncDisposableStack());
  stop.throwIfAborted();
  const api = await patiently(stop, () =>
    startApi(apiConfig, {
      logger,
      telemetry,
      version: version(),
      graphiql: true,
      serveMetrics: false,
      drainMs: DRAIN_MS,
    }),
  );
  undo.defer(() => api.stop());
  const ingest = await startIngest(readConfig('ingest', environment), logger);
  behindApi.defer(() => ingest.stop());
  const health = healthOf({ api: api.health, worker: worker.health });
  const metrics = await startMetricsServer({ host: apiConfig.host, port: apiConfig.metricsPort, health });
  undo.defer(() => metrics.close());
  return {
    api: api.url,
    ingest: ingest.url,
    metrics: `${new URL(api.url).origin.replace(/:\d+$/, '')}:${metrics.port}/metrics`,
    docs: `${api.url}/docs`,
    graphql: `${api.url}/graphql`,
    database: { admin: options.adminUrl, app: developmentUrl(options.adminUrl, 'holdfast_app') },
  };
}

/** A part has left nothing behind where it did not start. */
const STARTS_MAX = 20;
const STARTS_APART_MS = 500;

/**
 * Starts a part again where PostgreSQL does not answer in time: it has just answered, so the machine is busy. Processes that serve others
 * end instead, and are started again by what runs them.
 */
async function patiently<Part>(stop: AbortSignal, start: () => Promise<Part>): Promise<Part> {
  for (let starts = 1; ; starts += 1) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable) || starts === STARTS_MAX) throw error;
      await sleep(STARTS_APART_MS, undefined, { signal: stop }).catch(() => stop.throwIfAborted());
    }
  }
}

/** Beside the metrics, health is that of all parts together. Each also answers for itself on its own port. */
function healthOf(parts: Readonly<Record<string, Health>>): Health {
  const health = new Health();
  health.show('policies', listPolicyStates);
  for (const [name, part] of Object.entries(parts)) {
    health.check(name, async () => {
      const { status } = await part.ready();
      if (status !== 'ok') throw new Error(`${name} is not ready`);
    });
  }
  health.started();
  return health;
}

/** The roles' connection strings follow from the administrator's. What the user has set (REDIS_URL, say) stays. */
function environmentOf({
  config,
  adminUrl,
  clickhouseUrl,
  operatorKey,
  receiptKey,
  webhookKey,
  auditLogKey,
  signerDirectory,
  vaultKey,
  vaultDirectory,
  writeKeyPrivate,
  ingestDirectory,
  ...ports
}: PartsOptions): ReturnType<typeof environmentWith> {
  const origin = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}`;
  return environmentWith({
    NODE_ENV: 'development',
    DATABASE_ADMIN_URL: adminUrl,
    DATABASE_URL: undefined,
    DATABASE_AUTH_URL: undefined,
    DATABASE_OPS_URL: undefined,
    DATABASE_RELAY_URL: undefined,
    DATABASE_JOBS_URL: undefined,
    DATABASE_SEALER_URL: undefined,
    CLICKHOUSE_URL: clickhouseUrl,
    OPERATOR_KEY_HASH: createHash('sha256').update(operatorKey).digest('hex'),
    RECEIPT_KEY_PRIVATE: receiptKey,
    WEBHOOK_SECRETS_KEY: webhookKey,
    AUDIT_LOG_KEY_PRIVATE: auditLogKey,
    AUDIT_SIGNER_DIRECTORY: signerDirectory,
    VAULT_KEY: vaultKey,
    VAULT_DIRECTORY: vaultDirectory,
    WRITE_KEY_PRIVATE: writeKeyPrivate,
    WRITE_KEY_PUBLIC: new WriteKeySigner(writeKeyPrivate).publicKey,
    HOLDFAST_API_URL: `${origin}:${ports.port}`,
    HOLDFAST_INGEST_URL: `${origin}:${ports.ingestPort}`,
    INGEST_DIRECTORY: ingestDirectory,
    WEBHOOK_ALLOWED_NETWORKS: THIS_MACHINE,
    HOLDFAST_HOST: config.host,
    HOLDFAST_PORT: String(ports.port),
    HOLDFAST_INGEST_PORT: String(ports.ingestPort),
    HOLDFAST_METRICS_PORT: String(ports.metricsPort),
  });
}
