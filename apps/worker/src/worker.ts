import type { TelemetryStore } from '@holdfast/clickhouse';
import { LogControls, receiptKeyEntries, Sealer, WitnessRounds } from '@holdfast/audit';
import type { WorkerConfig } from '@holdfast/config';
import { Database } from '@holdfast/database';
import {
  Consumers,
  injectFaults,
  Relay,
  type Report,
  Sequencer,
  type StoreConsumer,
  type TenantConsumer,
} from '@holdfast/events';
import { SharedDrills } from '@holdfast/drills';
import { checkQueueBackend, QueueBackendAway, type QueueBackend } from '@holdfast/jobs';
import { HoldSweeper, LedgerControls } from '@holdfast/ledger';
import { Health, type Logger, startMetricsServer } from '@holdfast/observability';
import { listPolicyStates } from '@holdfast/resilience';
import { ClearingControls, payThrough } from '@holdfast/payments';
import { SagaRunner } from '@holdfast/sagas';
import { Grants, TenantDatabase } from '@holdfast/tenancy';
import { TaskRunner } from '@holdfast/tasks';
import { openVault } from '@holdfast/vault';
import { WebhookDelivery } from '@holdfast/webhooks';
import { type KafkaStore, openKafka } from './kafka-store';
import { consumersOf, taskKinds } from './worker-groups';

/** What the process that runs the worker gives it. */
export interface WorkerResources {
  readonly logger: Logger;
  readonly telemetry: TelemetryStore;
  /** False where another part of the process serves metrics. */
  readonly serveMetrics: boolean;
  /** How long an erasure waits for the last grants and transactions to end, in seconds; tests know that there are none. */
  readonly eraseAfterSeconds?: number;
  /** Consumers besides those of the product: what a test measures deliveries with. */
  readonly consumers?: readonly (TenantConsumer | StoreConsumer)[];
}

/** A worker that runs. */
export interface RunningWorker {
  readonly health: Health;
  /** Takes no more jobs, finishes those under way, gives the sequencer's lease back, closes. */
  stop(): Promise<void>;
}

/** Per process: one for each delivery of a group at a time, and some for failures to be noted. */
const APP_CONNECTIONS = 12;
/** For taking and recording deliveries to webhooks: of its own, so that a busy day of receivers keeps no group waiting. */
const WEBHOOK_CONNECTIONS = 6;
const AUTH_CONNECTIONS = 2;
/** The sequencer, the sweep, and two for each store: a batch holds one while it is sent. */
const RELAY_CONNECTIONS = 6;
/** The sealer does one thing after the other; the second is for a commit whose answer comes late. */
const SEALER_CONNECTIONS = 2;

interface Pools {
  readonly app: Database;
  readonly auth: Database;
  readonly relay: Database;
  readonly webhooks: Database;
  /** Absent where this worker does not seal. */
  readonly sealer: Database | undefined;
}

/** Starts a worker: a candidate for the sequencer's lease, and consumers of every group. Any number may run. */
export async function startWorker(config: WorkerConfig, resources: WorkerResources): Promise<RunningWorker> {
  const { logger, serveMetrics } = resources;
  injectFaults(config.faults);
  if (config.partnerBankUrl !== undefined)
    payThrough({ url: config.partnerBankUrl, secret: config.partnerBankSecret ?? '' });
  const pools = openPools(config, logger);
  const grants = new Grants(pools.auth);
  const health = new Health();
  health.show('policies', listPolicyStates);
  const kafka = openKafka(config);
  const backend = queueBackend(config);
  try {
    await refuseUnfit(backend, logger);
    const delivery = await composeDelivery(config, pools, grants, { ...resources, kafka });
    const metrics = serveMetrics
      ? await startMetricsServer({ host: config.host, port: config.metricsPort, health })
      : undefined;
    health.check('database', () => pools.app.ping());
    health.check('relay', () => pools.relay.ping());
    health.watch('queues', () => checkQueueBackend(backend));
    // Watched only: a worker without Kafka has all its other work to do.
    if (kafka) health.watch('kafka', () => kafka.broker.ping());
    // Whether the log is the one that it was; what needs no events is served all the same.
    health.watch('events', () => delivery.verify());
    const sealer = openSealer(config, pools.sealer, logger);
    if (sealer) health.watch('sealer', () => (sealer.halt ? Promise.reject(sealer.halt) : Promise.resolve()));
    grants.watch();
    delivery.start();
    sealer?.start();
    health.started();
    return {
      health,
      stop: async () => {
        health.drain();
        await Promise.all([delivery.stop(), sealer?.stop()]);
        await kafka?.broker.close();
        await closeAll(pools, grants);
        await metrics?.close();
      },
    };
  } catch (error) {
    await kafka?.broker.close();
    await closeAll(pools, grants);
    throw error;
  }
}

async function composeDelivery(
  config: WorkerConfig,
  { app, relay, webhooks: sending }: Pools,
  grants: Grants,
  {
    logger,
    telemetry,
    eraseAfterSeconds,
    kafka,
    consumers: others = [],
  }: WorkerResources & { readonly kafka: KafkaStore | undefined },
): Promise<{ start(): void; verify(): Promise<void>; stop(): Promise<void> }> {
  const report = reportTo(logger);
  const vault = openVault(config);
  const shared = { tenants: new TenantDatabase(app, vault), relay, grants, report };
  const settings = { keys: config.webhookKeys, allowedNetworks: config.webhookNetworks };
  const webhooks = new WebhookDelivery({ ...shared, tenants: new TenantDatabase(sending), settings });
  const consumers = new Consumers({
    ...shared,
    backend: queueBackend(config),
    consumers: [...consumersOf({ config, telemetry, kafka: kafka?.consumer, webhooks }), ...others],
  });
  const sequencer: Sequencer = new Sequencer({
    relay,
    report,
    onTick: (tick) => waker.accept(tick),
    onLead: () => waker.hurry(),
    continueOnFailover: config.eventsOnFailover === 'continue',
  });
  const kinds = await taskKinds({ config, relay, telemetry, consumers, eraseAfterSeconds, vault, report });
  // What looks for its own work, and is told of none.
  const rounds = [
    new TaskRunner({ ...shared, kinds }),
    new SagaRunner(shared),
    new HoldSweeper(shared),
    new LedgerControls(shared),
    new ClearingControls(shared),
    new SharedDrills({ system: relay, report }),
    new LogControls(shared),
    new WitnessRounds({
      ...shared,
      settings: { configured: config.auditWitnesses, allowedNetworks: config.webhookNetworks },
    }),
    webhooks,
  ];
  const waker = new Relay({ relay, groups: consumers.groups, isLeading: () => sequencer.isLeading, report });
  return {
    start: () => {
      consumers.start();
      waker.start();
      for (const each of rounds) each.start();
      sequencer.start();
    },
    verify: () => (sequencer.halt ? Promise.reject(sequencer.halt) : Promise.resolve()),
    // The lease goes first, so that another worker leads while this one finishes its deliveries.
    stop: async () => {
      await sequencer.stop();
      await Promise.all([waker.stop(), ...rounds.map((each) => each.stop()), consumers.drain()]);
      await consumers.stop();
    },
  };
}

/** Queues are replaceable, so one that is away keeps no worker from starting; one that loses jobs while it is there does. */
async function refuseUnfit(backend: QueueBackend, logger: Logger): Promise<void> {
  try {
    for (const warning of await checkQueueBackend(backend)) logger.warn({ context: 'queues' }, warning);
  } catch (error) {
    if (!(error instanceof QueueBackendAway)) throw error;
    logger.warn({ err: error, context: 'queues' }, 'It is not known whether the queues can be kept there.');
  }
}

/** Redis where there is one; else the queues are tables. The configuration has seen to it that there is either. */
function queueBackend({ redisUrl, databaseJobsUrl }: WorkerConfig): QueueBackend {
  if (redisUrl) return { kind: 'redis', url: redisUrl };
  if (databaseJobsUrl) return { kind: 'postgres', url: databaseJobsUrl };
  throw new Error('the worker has neither REDIS_URL nor DATABASE_JOBS_URL');
}

function openPools(config: WorkerConfig, logger: Logger): Pools {
  const open = (role: string, url: string, connectionsMax: number): Database =>
    new Database({
      url,
      name: `holdfast worker ${role}`,
      connectionsMax,
      onIdleError: (error) =>
        logger.warn({ err: error, context: role }, 'an idle database connection was lost'),
    });
  return {
    app: open('app', config.databaseUrl, APP_CONNECTIONS),
    auth: open('auth', config.databaseAuthUrl, AUTH_CONNECTIONS),
    relay: open('relay', config.databaseRelayUrl, RELAY_CONNECTIONS),
    webhooks: open('webhooks', config.databaseUrl, WEBHOOK_CONNECTIONS),
    sealer:
      config.databaseSealerUrl && config.auditLogKeys
        ? open('sealer', config.databaseSealerUrl, SEALER_CONNECTIONS)
        : undefined,
  };
}

async function closeAll(pools: Pools, grants: Grants): Promise<void> {
  grants.close();
  const opened = Object.values(pools).filter((pool: Database | undefined) => pool !== undefined);
  await Promise.all(opened.map((pool: Database) => pool.close()));
}

/** A candidate for sealing the audit logs, where the configuration makes it one. */
function openSealer(
  config: WorkerConfig,
  database: Database | undefined,
  logger: Logger,
): Sealer | undefined {
  const { auditLogName, auditLogKeys, auditSignerDirectory } = config;
  if (!database || !auditLogKeys || auditSignerDirectory === undefined) return undefined;
  return new Sealer({
    database,
    logName: auditLogName,
    privateKeys: auditLogKeys,
    directory: auditSignerDirectory,
    installation: receiptKeyEntries,
    report: reportTo(logger),
    warn: (message) => logger.warn({ context: 'sealer' }, message),
  });
}

/** Between two log lines about the same trouble: a server that is away fails a hundred times a second. */
const REPORT_INTERVAL_MS = 5_000;
const REPORTS_KEPT = 1_000;

function reportTo(logger: Logger): Report {
  const reportedAtMs = new Map<string, number>();
  return (error, doing) => {
    const now = Date.now();
    if (now - (reportedAtMs.get(doing) ?? 0) < REPORT_INTERVAL_MS) return;
    if (reportedAtMs.size >= REPORTS_KEPT) reportedAtMs.clear();
    reportedAtMs.set(doing, now);
    logger.warn({ err: error, context: 'events' }, `Failed, and will be tried again: ${doing}.`);
  };
}
