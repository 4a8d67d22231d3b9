import { setTimeout as sleep } from 'node:timers/promises';
import { type TelemetryStore, TelemetryUnavailable } from '@holdfast/clickhouse';
import { Receipts } from '@holdfast/audit';
import { type ApiConfig, withAudience } from '@holdfast/config';
import { Database } from '@holdfast/database';
import { listGroupNames } from '@holdfast/events';
import { closeHttpApplication, createHttpApplication } from '@holdfast/http';
import { UserActivity, WriteKeySigner } from '@holdfast/ingest';
import { Health, type Logger, type MetricsServer, startMetricsServer } from '@holdfast/observability';
import { Limits } from '@holdfast/limits';
import { payThrough } from '@holdfast/payments';
import { listPolicyStates } from '@holdfast/resilience';
import { SharedDrills } from '@holdfast/drills';
import { SagaRunner } from '@holdfast/sagas';
import { wantsActivity } from '@holdfast/telemetry';
import { formatFindings, Grants, holesIn, runDoctor, TenantDatabase } from '@holdfast/tenancy';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { openVault } from '@holdfast/vault';
import { ApiModule, type ApiParts } from './api.module';

/** What the process that runs the API gives it. */
export interface ApiResources {
  readonly logger: Logger;
  readonly telemetry: TelemetryStore;
  /** Shown in the reference. */
  readonly version: string;
  /** Whether GraphiQL is served. */
  readonly graphiql: boolean;
  /** False where another part of the process serves metrics. */
  readonly serveMetrics: boolean;
  /** How long to go on serving after readiness is off, in milliseconds: as long as balancers take to notice. */
  readonly drainMs: number;
}

/** An API that listens. */
export interface RunningApi {
  readonly url: string;
  readonly health: Health;
  /** Readiness off, wait for balancers, stop accepting, finish what is under way, close. */
  stop(): Promise<void>;
}

/** Connections per process: enough for both cores of a small machine to be busy, few enough for a hundred pods. */
const APP_CONNECTIONS = 16;
const AUTH_CONNECTIONS = 4;
const OPS_CONNECTIONS = 2;
/** Longer than all in front take where nothing is the matter; who waits longer is better told to come again. */
const QUEUE_TIMEOUT_MS = 1_000;
/** As long as a tenant's line waits as well: a stall of the database is ridden out, and of what is longer all that wait are told. */
const STALLED_AFTER_MS = 250;
/** Behind the last answer; with the requests it is less than the 25 s that a process has to stop. */
const ACTIVITY_DRAIN_MS = 3_000;
/** Of the connections that one tenant's requests may hold at a time: a quarter is left to the others. */
const TENANT_CONNECTIONS = 12;
/** Sagas that this process goes on with at a time, of those that requests have begun: a few connections, the rest is the workers'. */
const SAGA_LANES = 4;

/** Starts the API, or throws: a database whose isolation is not whole is not served. */
export async function startApi(config: ApiConfig, resources: ApiResources): Promise<RunningApi> {
  const pools = openPools(config, resources.logger);
  const grants = new Grants(pools.auth);
  const health = new Health();
  health.show('policies', listPolicyStates);
  const limits = openLimits(config, resources.logger);
  const receipts = openReceipts(config, pools.auth, resources.logger);
  const tenants = new TenantDatabase(pools.app, openVault(config));
  const activity = openActivity(config, tenants, resources.logger);
  const sagas = openSagas(tenants, grants, resources.logger);
  if (config.partnerBankUrl !== undefined)
    payThrough({ url: config.partnerBankUrl, secret: config.partnerBankSecret ?? '' });
  const drills = openDrills(pools.ops, resources.logger);
  const opened = { ...pools, grants, limits, receipts, activity, tenants, sagas, drills };
  try {
    await refuseHoles(pools, config, resources.logger);
    await receipts.start();
    const app = await createApplication(config, resources, { ...opened, health });
    grants.watch();
    drills.start();
    health.check('database', () => pools.app.ping());
    health.check('credentials', () => pools.auth.ping());
    health.watch('telemetry', async () => {
      if (!(await resources.telemetry.ping())) throw new TelemetryUnavailable(undefined);
    });
    if (config.redisUrl !== undefined) health.watch('limits', async () => limits?.checkShared());
    if (activity.isRecorded) health.watch('activity', () => activity.checkReachable());
    await app.listen(config.port, config.host);
    const metrics = resources.serveMetrics
      ? await startMetricsServer({ host: config.host, port: config.metricsPort, health })
      : undefined;
    health.started();
    return {
      url: await app.getUrl(),
      health,
      stop: () => stop(app, health, resources.drainMs, closing(opened, metrics)),
    };
  } catch (error) {
    await closing(opened, undefined)();
    throw error;
  }
}

/** The database has a hole in tenant isolation: nothing is served from it until it is mended. */
export class IsolationBroken extends Error {
  override readonly name = 'IsolationBroken';
}

async function refuseHoles({ app, auth }: Pools, { nodeEnv }: ApiConfig, logger: Logger): Promise<void> {
  const diagnosis = await runDoctor({ app, auth }, { isProduction: nodeEnv === 'production' });
  const holes = holesIn(diagnosis);
  if (holes.length > 0) throw new IsolationBroken(formatFindings(holes));
  for (const { rule, object, reason, fix } of diagnosis.findings) logger.warn({ rule, object, fix }, reason);
}

interface Pools {
  readonly app: Database;
  readonly auth: Database;
  readonly ops: Database;
}

function openPools(config: ApiConfig, logger: Logger): Pools {
  const open = (role: string, url: string, connectionsMax: number): Database =>
    new Database({
      url,
      name: `holdfast api ${role}`,
      connectionsMax,
      queueTimeoutMs: QUEUE_TIMEOUT_MS,
      stalledAfterMs: STALLED_AFTER_MS,
      onIdleError: (error) =>
        logger.warn({ err: error, context: role }, 'an idle database connection was lost'),
    });
  return {
    app: open('app', config.databaseUrl, APP_CONNECTIONS),
    auth: open('auth', config.databaseAuthUrl, AUTH_CONNECTIONS),
    ops: open('ops', config.databaseOpsUrl, OPS_CONNECTIONS),
  };
}

/** Of the address five times what may come in a second at once: a page of an application loads with that many requests. */
const ADDRESS_BURST_SECONDS = 5;

function openLimits(config: ApiConfig, logger: Logger): Limits | undefined {
  if (config.limits === 'off') return undefined;
  const perSecond = config.addressRequestsPerSecond;
  return new Limits({
    addresses: { perSecond, size: perSecond * ADDRESS_BURST_SECONDS },
    permitsMax: TENANT_CONNECTIONS,
    redisUrl: config.redisUrl,
    onShared: (shared) =>
      shared
        ? logger.info({ context: 'limits' }, 'limits are shared through Redis again')
        : logger.warn({ context: 'limits' }, 'Redis is away: this process counts requests by itself'),
  });
}

/** What is opened before the application and closed behind it. */
interface Opened extends Pools {
  readonly grants: Grants;
  readonly limits: Limits | undefined;
  readonly receipts: Receipts;
  readonly activity: UserActivity;
  readonly tenants: TenantDatabase;
  readonly sagas: SagaRunner;
  readonly drills: SharedDrills;
}

function openDrills(system: Database, logger: Logger): SharedDrills {
  const report = (error: unknown, doing: string): void =>
    logger.warn({ err: error, context: 'drills' }, `Failed, and will be tried again: ${doing}.`);
  return new SharedDrills({ system, report });
}

function openSagas(tenants: TenantDatabase, grants: Grants, logger: Logger): SagaRunner {
  const report = (error: unknown, doing: string): void =>
    logger.warn({ err: error, context: 'sagas' }, `Failed, and is gone on with: ${doing}.`);
  return new SagaRunner({ tenants, grants, report, lanes: SAGA_LANES });
}

/** Where what members do is sent. Without an address, or a key to sign with, nowhere; this is the one place that says so. */
function openActivity(
  { ingestUrl: url, writeKeyPrivate }: ApiConfig,
  tenants: TenantDatabase,
  logger: Logger,
): UserActivity {
  if (url !== undefined && writeKeyPrivate !== undefined) {
    const signer = new WriteKeySigner(writeKeyPrivate);
    return new UserActivity({ url, signer, logger, isWanted: wantsActivity(tenants) });
  }
  const missing = url === undefined ? 'HOLDFAST_INGEST_URL' : 'WRITE_KEY_PRIVATE';
  logger.info({ context: 'activity' }, `what members do is not recorded as telemetry: ${missing} is not set`);
  return new UserActivity();
}

function openReceipts({ auditLogName: logName }: ApiConfig, auth: Database, logger: Logger): Receipts {
  const onFailure = (error: unknown): void =>
    logger.warn({ err: error, context: 'receipts' }, 'answers go without a receipt');
  return new Receipts({ auth, logName, onFailure });
}

function createApplication(
  { operatorKeys, oidcIssuers, oidcAudience, signUp, trustedProxies, ...config }: ApiConfig,
  { logger, telemetry, version, graphiql }: ApiResources,
  {
    app,
    auth,
    ops,
    grants,
    limits,
    receipts,
    activity,
    tenants,
    sagas,
    drills,
    health,
  }: Opened & { readonly health: Health },
): Promise<NestFastifyApplication> {
  const module = ApiModule.forRoot({
    tenants,
    grants,
    ops,
    telemetry,
    writeKeys: { auth, privateKey: config.writeKeyPrivate },
    activity,
    sagas,
    operatorKeys,
    issuers: withAudience(oidcIssuers, oidcAudience),
    isSignUpEnabled: signUp === 'enabled',
    webhooks: { keys: config.webhookKeys, allowedNetworks: config.webhookNetworks },
    witnesses: { configured: config.auditWitnesses, allowedNetworks: config.webhookNetworks },
    graphiql,
    drills,
    isProduction: config.nodeEnv === 'production',
    queues: queuesOf(config, app, logger),
    limits,
  });
  return createHttpApplication(module, {
    logger,
    health,
    version,
    trustedProxies,
    answerTimeoutMs: config.answerTimeoutMs,
    receiptFor: (requestId, committed) => receipts.headerFor(requestId, committed),
  });
}

/** What the dashboard of the queues shows; nothing where this process is not told where the queues are. */
function queuesOf(
  { redisUrl, databaseJobsUrl }: Pick<ApiConfig, 'redisUrl' | 'databaseJobsUrl'>,
  app: Database,
  logger: Logger,
): ApiParts['queues'] {
  const url = redisUrl ?? databaseJobsUrl;
  if (url === undefined) return undefined;
  return {
    backend: { kind: redisUrl === undefined ? 'postgres' : 'redis', url },
    listGroups: () => listGroupNames(app),
    report: (error, doing) => logger.warn({ err: error, context: 'queues' }, doing),
  };
}

function closing(
  { app, auth, ops, grants, limits, receipts, activity, sagas, drills }: Opened,
  metrics: MetricsServer | undefined,
): () => Promise<void> {
  return async () => {
    // Each ends behind its step, and a worker goes on with it.
    await Promise.all([sagas.stop(), drills.stop()]);
    grants.close();
    limits?.close();
    receipts.close();
    // It reads what tenants want there.
    const drained = activity.drain(ACTIVITY_DRAIN_MS).then(() => app.close());
    await Promise.all([drained, auth.close(), ops.close(), metrics?.close()]);
  };
}

async function stop(
  app: NestFastifyApplication,
  health: Health,
  drainMs: number,
  close: () => Promise<void>,
): Promise<void> {
  health.drain();
  await sleep(drainMs);
  // Fastify stops listening and waits for the answers under way; Nest then ends its providers, the poster among them.
  await closeHttpApplication(app);
  await close();
}
