import { z } from 'zod';
import { issuersSchema } from './issuers';
import { connectionString, isEd25519, isNetwork, portNumber, variable } from './variable';

/**
 * Every variable that a process of Holdfast reads, under the name that code uses. Schemas of apps pick from here, so a
 * variable means the same wherever it is read.
 */
const postgresUrl = connectionString('postgres', 'postgresql');

const ROLE_MISSING = 'Fault; in development derived from DATABASE_ADMIN_URL when that is set.';

export const databases = {
  databaseUrl: variable(postgresUrl, {
    env: 'DATABASE_URL',
    meaning:
      'PostgreSQL as the role holdfast_app: all business SQL. With `?pgbouncer=true` through a pooler.',
    whenEmpty: ROLE_MISSING,
    secret: true,
  }),
  databaseAuthUrl: variable(postgresUrl, {
    env: 'DATABASE_AUTH_URL',
    meaning: 'PostgreSQL as the role holdfast_auth: turns credentials into signed grants.',
    whenEmpty: ROLE_MISSING,
    secret: true,
  }),
  databaseOpsUrl: variable(postgresUrl, {
    env: 'DATABASE_OPS_URL',
    meaning: 'PostgreSQL as the role holdfast_ops: the operator’s routes and the command line.',
    whenEmpty: ROLE_MISSING,
    secret: true,
  }),
  databaseRelayUrl: variable(postgresUrl, {
    env: 'DATABASE_RELAY_URL',
    meaning: 'PostgreSQL as the role holdfast_relay: sequencer, relay and the cursors of stores.',
    whenEmpty: ROLE_MISSING,
    secret: true,
  }),
};

export const databaseJobsUrl = variable(postgresUrl.optional(), {
  env: 'DATABASE_JOBS_URL',
  meaning:
    'PostgreSQL as the role holdfast_jobs: the queues of BullMQ where there is no Redis. The API only shows them to operators.',
  whenEmpty:
    'Fault for the worker without REDIS_URL; in development derived from DATABASE_ADMIN_URL when that is set.',
  secret: true,
});

export const databaseSealerUrl = variable(postgresUrl.optional(), {
  env: 'DATABASE_SEALER_URL',
  meaning:
    'PostgreSQL as the role holdfast_sealer: a worker that seals the audit logs. `migrate` sets its password.',
  whenEmpty:
    'Fault for a worker with AUDIT_LOG_KEY_PRIVATE; at `migrate` the role keeps the password it has.',
  secret: true,
});

export const databaseAdminUrl = variable(postgresUrl, {
  env: 'DATABASE_ADMIN_URL',
  meaning:
    'PostgreSQL as an administrator who may create roles: `migrate`, and in development the one URL from which those of the roles are derived.',
  whenEmpty: 'Fault for `migrate`; `holdfast dev` starts a PostgreSQL of its own.',
  secret: true,
});

export const redisUrl = variable(connectionString('redis', 'rediss').optional(), {
  env: 'REDIS_URL',
  meaning:
    'Redis 6.2 or newer for the queues of BullMQ, with maxmemory-policy noeviction, and for the limits that API processes share.',
  whenEmpty:
    'The queues are kept in PostgreSQL (DATABASE_JOBS_URL): slower, and one server less. Each API process counts by itself.',
  secret: true,
});

export const eventsOnFailover = variable(z.enum(['stop', 'continue']).default('stop'), {
  env: 'EVENTS_ON_FAILOVER',
  meaning:
    'What becomes of events when PostgreSQL comes back on another timeline of the same cluster. `stop`: ticks and deliveries wait for `holdfast events epoch bump`. `continue`: they go on; only for clusters whose standbys are all synchronous, where a promotion loses nothing.',
  whenEmpty: '`stop`.',
});

export const clickhouseUrl = variable(connectionString('http', 'https'), {
  env: 'CLICKHOUSE_URL',
  meaning:
    'HTTP address of ClickHouse with user and password: http://user:password@host:8123. Tables are in its database `telemetry`.',
  whenEmpty: 'Fault; `holdfast dev` runs ClickHouse inside its own process (chDB).',
  secret: true,
});

/** What an operator may be called. The name stands in events for ever: it is no e-mail address. */
const OPERATOR_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const OPERATOR_KEY = /^(?:(?<name>[A-Za-z0-9][A-Za-z0-9._-]{0,62})=)?(?<hash>[0-9a-f]{64})$/;

export const operatorKeys = variable(
  z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((key) => key.trim())
        .filter(Boolean),
    )
    .refine(
      (keys) => keys.every((key) => OPERATOR_KEY.test(key)) && (keys.length === 1 || keys.every(isNamed)),
      {
        error: 'has to be the SHA-256 of a key in 64 hexadecimal characters, or a list of name=SHA-256',
      },
    )
    .transform((keys) => keys.map(operatorKeyOf)),
  {
    env: 'OPERATOR_KEY_HASH',
    meaning:
      'Who operates: `alice=<SHA-256>,bob=<SHA-256>`, in hexadecimal: `printf %s "$KEY"` piped into `sha256sum`. One SHA-256 alone is that of `operator`; a name may have two keys while one replaces the other.',
    whenEmpty: 'The routes under /v1/operator answer 401 to everybody.',
    secret: true,
  },
);

function isNamed(key: string): boolean {
  return key.includes('=');
}

function operatorKeyOf(key: string): { readonly name: string; readonly hash: string } {
  const { name = 'operator', hash = '' } = OPERATOR_KEY.exec(key)?.groups ?? {};
  return { name, hash };
}

export const operatorName = variable(
  z.string().regex(OPERATOR_NAME, { error: 'has to be 1 to 63 letters, digits and . _ -' }).optional(),
  {
    env: 'HOLDFAST_OPERATOR',
    meaning:
      'Who operates at the command line. Stands in the audit trail of each tenant that a verb touches.',
    whenEmpty: 'The name of the user of the operating system.',
  },
);

export const oidcIssuers = variable(issuersSchema, {
  env: 'OIDC_ISSUERS',
  meaning:
    'Issuers whose JWTs are accepted: addresses separated by commas, or a JSON array of `{issuer, audience, algorithms?, tenantClaim?, clockToleranceSeconds?, maxAgeSeconds?, requireTyp?}`.',
  whenEmpty: 'Only API keys are accepted.',
});

export const oidcAudience = variable(z.string().min(1).default('holdfast'), {
  env: 'OIDC_AUDIENCE',
  meaning: 'What a JWT has to name as its audience, for issuers that OIDC_ISSUERS lists by address alone.',
  whenEmpty: '`holdfast`.',
});

export const logLevel = variable(
  z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  {
    env: 'LOG_LEVEL',
    meaning: 'The least serious log line that is written: fatal, error, warn, info, debug, trace or silent.',
    whenEmpty: '`info`; `warn` in `holdfast dev`.',
  },
);

export const host = variable(
  z.union([z.ipv4(), z.ipv6()], { error: 'has to be an IP address' }).default('127.0.0.1'),
  {
    env: 'HOLDFAST_HOST',
    meaning: 'Address that the process listens on. Containers set 0.0.0.0.',
    whenEmpty: '127.0.0.1: reachable from this machine only.',
  },
);

export const port = variable(portNumber.prefault('8080'), {
  env: 'HOLDFAST_PORT',
  meaning: 'Port of the API. 0 takes a free one.',
  whenEmpty: '8080; `holdfast dev` takes a free one when 8080 is taken.',
});

export const ingestPort = variable(portNumber.prefault('8081'), {
  env: 'HOLDFAST_INGEST_PORT',
  meaning: 'Port of ingest. 0 takes a free one.',
  whenEmpty: '8081; `holdfast dev` takes a free one when 8081 is taken.',
});

export const signUp = variable(z.enum(['enabled', 'disabled']).default('disabled'), {
  env: 'SIGN_UP',
  meaning:
    'Whether people with a JWT of a trusted issuer may begin tenants themselves: `enabled` or `disabled`.',
  whenEmpty: '`disabled`: the operator makes tenants.',
});

/** C2SP key names have no spaces and no plus; the longest of ours end in a path of two ids. */
export const auditLogName = variable(
  z
    .string()
    .regex(/^[\x21-\x2a\x2c-\x7e]{1,100}$/, {
      error: 'has to be 1 to 100 printable ASCII characters without spaces and plus',
    })
    .default('holdfast'),
  {
    env: 'AUDIT_LOG_NAME',
    meaning:
      'What this installation’s audit logs are called: their origins are `<name>/<tenant>/<epoch>`, and receipts are signed under it. Choose it once: proofs name it.',
    whenEmpty: '`holdfast`.',
  },
);

export const metricsPort = variable(portNumber.prefault('9464'), {
  env: 'HOLDFAST_METRICS_PORT',
  meaning: 'Port of /metrics and of the worker’s health endpoints. 0 takes a free one.',
  whenEmpty:
    '9464 (that of OpenTelemetry’s Prometheus exporter); `holdfast dev` takes a free one when it is taken.',
});

export const limits = variable(z.enum(['on', 'off']).default('on'), {
  env: 'HOLDFAST_LIMITS',
  meaning:
    'Whether requests are limited, in rate and number at once, by the quotas of their tenant’s plan and by address. `off` is for load tests.',
  whenEmpty: '`on`.',
});

export const addressRequestsPerSecond = variable(
  z
    .string()
    .regex(/^[1-9]\d{0,5}$/, { error: 'has to be a number from 1 to 999999' })
    .transform(Number)
    .prefault('200'),
  {
    env: 'HOLDFAST_ADDRESS_REQUESTS_PER_SECOND',
    meaning:
      'What one client address, or IPv6 /64, may go on sending, with a credential or without; after a pause five times as much at once.',
    unit: 'requests a second',
    whenEmpty: '200: an office behind one address, and a thousandth of what guessing a key would take.',
  },
);

export const trustedProxies = variable(
  z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((address) => address.trim())
        .filter(Boolean),
    )
    .refine((addresses) => addresses.every(isNetwork), {
      error: 'has to be a list of IP addresses and networks such as 10.0.0.0/8, separated by commas',
    }),
  {
    env: 'HOLDFAST_TRUSTED_PROXIES',
    meaning:
      'Addresses and networks of the proxies in front, separated by commas: from these, X-Forwarded-For says who the client is.',
    whenEmpty: 'Nobody is believed. Behind a proxy all clients then share the limit of its one address.',
  },
);

export const otlpEndpoint = variable(connectionString('http', 'https').optional(), {
  env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
  meaning:
    'Where spans go once an OpenTelemetry SDK is preloaded; Holdfast brings none and exports nothing by itself.',
  whenEmpty: 'No spans are recorded. Trace ids are continued all the same.',
});

export const nodeEnv = variable(z.string().default('development'), {
  env: 'NODE_ENV',
  meaning:
    '`production` turns off what only development may do: GraphiQL, roles derived from DATABASE_ADMIN_URL, and a PostgreSQL that lacks repairs.',
  whenEmpty: '`development`.',
});

/** What is done at a step: `tenant-delivery.read=kill@3` ends the process at its third pass of the step. */
const FAULT =
  /^(?<step>[a-z-]+\.[a-z-]+)=(?<action>kill|stop|note|sleep:(?<ms>\d{1,5}))@(?<pass>[1-9]\d{0,5})$/;

export const faults = variable(
  z
    .string()
    .default('')
    .transform((text) => text.split(',').filter(Boolean))
    .refine((listed) => listed.every((fault) => FAULT.test(fault)), {
      error: 'has to be a list of step=action@pass, where action is kill, stop, note or sleep:<ms>',
    })
    .transform((listed) => listed.map(faultOf)),
  {
    env: 'HOLDFAST_FAULTS',
    meaning:
      'For tests of faults: what the process does to itself between two steps of delivery, as `tenant-delivery.read=kill@3,sequencer.ticked=sleep:500@1`. Actions are kill (SIGKILL), stop (SIGSTOP), sleep:<ms> and note (a line on standard error).',
    whenEmpty: 'No faults. Refused where NODE_ENV is `production`.',
  },
);

function faultOf(fault: string): {
  readonly step: string;
  readonly action: 'kill' | 'stop' | 'note' | 'sleep';
  readonly sleepMs: number;
  readonly pass: number;
} {
  const { step = '', action = '', ms, pass } = FAULT.exec(fault)?.groups ?? {};
  const [name = ''] = action.split(':');
  return { step, action: name as 'kill', sleepMs: Number(ms ?? 0), pass: Number(pass) };
}

export const directory = variable(z.string().default('.holdfast'), {
  env: 'HOLDFAST_DIRECTORY',
  meaning: 'Where `holdfast dev` keeps its data, and where the other verbs look for its dev.json.',
  whenEmpty: '`.holdfast` in the current directory.',
});

export const receiptKeyPrivate = variable(
  z
    .string()
    .refine(isEd25519, {
      error:
        'has to be an Ed25519 private key as PKCS #8, in PEM or in base64 (openssl genpkey -algorithm ed25519)',
    })
    .optional(),
  {
    env: 'RECEIPT_KEY_PRIVATE',
    meaning:
      'Ed25519 private key, PKCS #8 in PEM or base64, that signs the receipts of erased tenants: `openssl genpkey -algorithm ed25519`.',
    whenEmpty: 'No tenant is erased: erasures wait, and say so to the operator. `holdfast dev` makes one.',
    secret: true,
  },
);

const SEALING_KEY = /^(?<id>[A-Za-z0-9][A-Za-z0-9._-]{0,62})=(?<key>[A-Za-z0-9+/]{43}=)$/;

const sealingKeys = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((key) => key.trim())
      .filter(Boolean),
  )
  .refine((keys) => keys.every((key) => SEALING_KEY.test(key)), {
    error: 'has to be a list of id=key, each key being 32 bytes in base64 (openssl rand -base64 32)',
  })
  .transform((keys) =>
    keys.map((text) => {
      const { id = '', key = '' } = SEALING_KEY.exec(text)?.groups ?? {};
      return { id, key };
    }),
  );

export const vaultKeys = variable(sealingKeys, {
  env: 'VAULT_KEY',
  meaning:
    'What the keys of tenants in VAULT_DIRECTORY are sealed with (AES-256-GCM), as `<id>=<32 bytes in base64>` (`openssl rand -base64 32`), for API and worker alike. Of several, separated by commas, the first seals and all of them open. Never kept with backups of the database.',
  whenEmpty:
    'Personal values of events are kept nowhere: the audit trail shows them as redacted. `holdfast dev` makes one.',
  secret: true,
});

export const vaultDirectory = variable(
  z
    .string()
    .default('')
    .transform((text) => text || undefined),
  {
    env: 'VAULT_DIRECTORY',
    meaning:
      'Where each tenant’s key of personal values is: a directory that outlasts every pod, the same for all of API and worker, outside the database and its backups.',
    whenEmpty:
      'Personal values of events are kept nowhere: the audit trail shows them as redacted. `holdfast dev` has one in its own directory.',
  },
);

export const webhookKeys = variable(sealingKeys, {
  env: 'WEBHOOK_SECRETS_KEY',
  meaning:
    'What the signing secrets of webhooks are sealed with (AES-256-GCM), as `<id>=<32 bytes in base64>` (`openssl rand -base64 32`), for API and worker alike. Of several, separated by commas, the first seals and all of them open.',
  whenEmpty: 'No webhook is made (`webhooks.not_configured`), and nothing is sent. `holdfast dev` makes one.',
  secret: true,
});

export const webhookNetworks = variable(
  z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((address) => address.trim())
        .filter(Boolean),
    )
    .refine((networks) => networks.every((network) => isNetwork(network) && network.includes('/')), {
      error: 'has to be a list of networks such as 10.1.0.0/16, separated by commas',
    }),
  {
    env: 'WEBHOOK_ALLOWED_NETWORKS',
    meaning:
      'Networks that are not public and may receive webhooks, and be tenants’ witnesses, all the same, separated by commas: for whoever delivers inside. Only there are plain http and any port allowed. Every tenant can then reach them.',
    whenEmpty: 'Webhooks go to public addresses only, by https. `holdfast dev` allows this machine.',
  },
);
