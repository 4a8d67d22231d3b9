import { z } from 'zod';
import { auditLog, auditWitnesses } from './audit-log';
import { ingestion, ingestUrl, writeKeyPrivate } from './ingest';
import { kafka } from './kafka';
import { partnerBank } from './partner-bank';
import { answerTimeoutMs, policies } from './policies';
import {
  addressRequestsPerSecond,
  auditLogName,
  clickhouseUrl,
  eventsOnFailover,
  databaseAdminUrl,
  databaseJobsUrl,
  databases,
  databaseSealerUrl,
  directory,
  faults,
  host,
  ingestPort,
  limits,
  logLevel,
  metricsPort,
  nodeEnv,
  oidcAudience,
  oidcIssuers,
  operatorKeys,
  operatorName,
  otlpEndpoint,
  port,
  receiptKeyPrivate,
  redisUrl,
  signUp,
  trustedProxies,
  vaultDirectory,
  vaultKeys,
  webhookKeys,
  webhookNetworks,
} from './variables';

const everyProcess = { nodeEnv, logLevel, host, metricsPort, otlpEndpoint, policies };

/** A URL that one app insists on and another does without. The notes are lost by `optional` and attached again. */
function optional<Schema extends z.ZodType>(schema: Schema): z.ZodOptional<Schema> {
  return schema.optional().meta(schema.meta() ?? {});
}

/** A field for `holdfast dev`, which tells "not set" from the default: it looks for a free port only when none was asked. */
function withoutDefault<Schema extends z.ZodType>(
  schema: z.ZodDefault<Schema> | z.ZodPrefault<Schema>,
): z.ZodOptional<Schema> {
  return schema
    .unwrap()
    .optional()
    .meta(schema.meta() ?? {});
}

const everyDatabase = {
  databaseUrl: optional(databases.databaseUrl),
  databaseAuthUrl: optional(databases.databaseAuthUrl),
  databaseOpsUrl: optional(databases.databaseOpsUrl),
  databaseRelayUrl: optional(databases.databaseRelayUrl),
  databaseJobsUrl,
  databaseSealerUrl,
};

const api = z.object({
  ...everyProcess,
  port,
  auditLogName,
  databaseUrl: databases.databaseUrl,
  databaseAuthUrl: databases.databaseAuthUrl,
  databaseOpsUrl: databases.databaseOpsUrl,
  databaseJobsUrl,
  clickhouseUrl,
  operatorKeys,
  oidcIssuers,
  oidcAudience,
  signUp,
  redisUrl,
  limits,
  answerTimeoutMs,
  addressRequestsPerSecond,
  trustedProxies,
  webhookKeys,
  webhookNetworks,
  auditWitnesses,
  vaultKeys,
  vaultDirectory,
  writeKeyPrivate,
  ingestUrl,
  ...partnerBank,
});

const worker = z.object({
  ...everyProcess,
  auditLogName,
  databaseUrl: databases.databaseUrl,
  databaseAuthUrl: databases.databaseAuthUrl,
  databaseRelayUrl: databases.databaseRelayUrl,
  databaseSealerUrl,
  databaseJobsUrl,
  redisUrl,
  clickhouseUrl,
  receiptKeyPrivate,
  eventsOnFailover,
  faults,
  webhookKeys,
  webhookNetworks,
  auditWitnesses,
  ...auditLog,
  vaultKeys,
  vaultDirectory,
  ...partnerBank,
  ...kafka,
});

const ingest = z.object({ ...everyProcess, ingestPort, ...ingestion, clickhouseUrl, ...kafka });

const dev = z.object({
  directory,
  logLevel: logLevel
    .removeDefault()
    .optional()
    .meta(logLevel.meta() ?? {}),
  host,
  port: withoutDefault(port),
  ingestPort: withoutDefault(ingestPort),
  metricsPort: withoutDefault(metricsPort),
  databaseAdminUrl: optional(databaseAdminUrl),
  redisUrl,
  clickhouseUrl: optional(clickhouseUrl),
  otlpEndpoint,
});

const migrate = z.object({ databaseAdminUrl, ...everyDatabase, clickhouseUrl: optional(clickhouseUrl) });

const cli = z.object({
  directory,
  nodeEnv,
  operatorName,
  auditLogName,
  databaseAdminUrl: optional(databaseAdminUrl),
  ...everyDatabase,
  redisUrl,
  clickhouseUrl: optional(clickhouseUrl),
  writeKeyPrivate,
  vaultKeys,
  vaultDirectory,
});

/** The schema of each app: which variables it reads and which of them it cannot do without. */
export const schemas = { api, worker, ingest, dev, migrate, cli } as const;

/** Something that reads a configuration of its own. `cli` stands for the verbs that look after a running system. */
export type App = keyof typeof schemas;

/** What each app is given, by app. */
export type Configs = { readonly [Name in App]: Readonly<z.output<(typeof schemas)[Name]>> };

/** What the API is given. */
export type ApiConfig = Configs['api'];
/** What the worker is given. One of `redisUrl` and `databaseJobsUrl` is always there. */
export type WorkerConfig = Configs['worker'];
/** What ingest is given. */
export type IngestConfig = Configs['ingest'];
