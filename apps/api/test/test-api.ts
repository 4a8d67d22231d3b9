import { createHash, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { TelemetryStore } from '@holdfast/clickhouse';
import { Receipts } from '@holdfast/audit';
import { readConfig } from '@holdfast/config';
import { SharedDrills } from '@holdfast/drills';
import { createHttpApplication } from '@holdfast/http';
import type { TrustedIssuer } from '@holdfast/identity';
import { UserActivity } from '@holdfast/ingest';
import { createLogger, Health } from '@holdfast/observability';
import { Limits, type LimitsOptions } from '@holdfast/limits';
import { SagaRunner } from '@holdfast/sagas';
import { Grants } from '@holdfast/tenancy';
import { TestClickHouse, TestDatabase } from '@holdfast/testing';
import type { Vault } from '@holdfast/vault';
import type { WebhookSettings } from '@holdfast/webhooks';
import type { Type } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { DestinationStream } from 'pino';
import { ApiModule } from '../src/api.module';

/** An answer, as a test looks at it. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A request that a test sends; `key` is an API key, `idempotencyKey` fresh unless it is given or null. */
export interface Asked {
  readonly key?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly idempotencyKey?: string | null;
}

/** What the audit log of a test is called. */
export const LOG_NAME = 'test.example/log';

/** Signs the write keys of every test. */
export const WRITE_KEY_PRIVATE = generateKeyPairSync('ed25519')
  .privateKey.export({ format: 'der', type: 'pkcs8' })
  .toString('base64');

const OPERATOR_KEY = 'operator-of-the-test';
const AMPLE = { size: 100_000, perSecond: 100_000 };
const AMPLE_QUOTA = { requestsPerSecond: 100_000, requestsBurst: 100_000, concurrentRequests: 1_000 };

/** What an API has besides, where a test is about it. */
interface Besides {
  /** Absent: personal values of events are kept nowhere. */
  readonly vault?: Vault;
  readonly webhooks?: WebhookSettings;
  /** Absent: what members do is recorded nowhere. */
  readonly activity?: UserActivity;
}

interface Composition extends Besides {
  readonly limits?: Partial<LimitsOptions>;
  readonly more?: readonly Type[];
  readonly issuers?: readonly TrustedIssuer[];
  /** True unless it is given: whether people may begin tenants. */
  readonly isSignUpEnabled?: boolean;
}

/** The whole API over a database and a ClickHouse of its own, without a socket. */
export class TestApi {
  private constructor(
    readonly database: TestDatabase,
    readonly telemetry: TelemetryStore,
    readonly app: NestFastifyApplication,
    /** Every line that the API has logged. */
    readonly logged: readonly string[],
    private readonly closeRest: () => Promise<void>,
  ) {}

  /** `limits` are far above what any test sends, unless a test is about them; `more` are modules beside ours. */
  static async start(
    limits: Partial<LimitsOptions> = {},
    more: readonly Type[] = [],
    issuers: readonly TrustedIssuer[] = [trusting('https://id.example.com')],
    besides: Besides = {},
  ): Promise<TestApi> {
    const database = await TestDatabase.create();
    const clickhouse = await TestClickHouse.open('chdb');
    const telemetry = new TelemetryStore(clickhouse.endpoint);
    await telemetry.migrate();
    return TestApi.over(database, telemetry, { limits, more, issuers, ...besides }, async () => {
      await telemetry.close();
      await clickhouse.close();
      await database.drop();
    });
  }

  /** Another process over the same stores, as a second pod is. Close it before this one. */
  pod(
    issuers: readonly TrustedIssuer[] = [],
    isSignUpEnabled = true,
    limits: Partial<LimitsOptions> = {},
  ): Promise<TestApi> {
    return TestApi.over(this.database, this.telemetry, { issuers, isSignUpEnabled, limits }, async () => {});
  }

  private static async over(
    database: TestDatabase,
    telemetry: TelemetryStore,
    { limits = {}, more = [], issuers = [], isSignUpEnabled = true, ...besides }: Composition,
    closeStores: () => Promise<void>,
  ): Promise<TestApi> {
    const logged: string[] = [];
    const destination: DestinationStream = { write: (line) => logged.push(line) };
    const grants = new Grants(database.as('holdfast_auth'));
    grants.watch();
    const receipts = new Receipts({
      auth: database.as('holdfast_auth'),
      logName: LOG_NAME,
      onFailure: (error) => logged.push(`no receipt: ${String(error)}`),
    });
    await receipts.start();
    const tenants = database.tenants(5, besides.vault);
    const report = (error: unknown, doing: string): void => void logged.push(`${doing}: ${String(error)}`);
    // What requests begin stands still until a test has it go on.
    const sagas = new SagaRunner({ tenants, grants, report, lanes: 0 });
    const { imports = [], ...module } = ApiModule.forRoot({
      tenants,
      sagas,
      grants,
      ops: database.as('holdfast_ops'),
      drills: new SharedDrills({ system: database.as('holdfast_ops'), report }),
      telemetry,
      writeKeys: { auth: database.as('holdfast_auth'), privateKey: WRITE_KEY_PRIVATE },
      activity: besides.activity ?? new UserActivity(),
      operatorKeys: [{ name: 'operator', hash: createHash('sha256').update(OPERATOR_KEY).digest('hex') }],
      issuers,
      isSignUpEnabled,
      webhooks: besides.webhooks ?? {
        keys: [{ id: 'test', key: randomBytes(32).toString('base64') }],
        allowedNetworks: [],
      },
      witnesses: { configured: [], allowedNetworks: [] },
      graphiql: false,
      limits: new Limits({ addresses: AMPLE, quotaOf: () => AMPLE_QUOTA, ...limits }),
    });
    const logger = createLogger({ app: 'api', level: 'debug', destination });
    const app = await createHttpApplication(
      { ...module, imports: [...imports, ...more] },
      {
        logger,
        health: new Health(),
        version: 'test',
        receiptFor: (requestId, committed) => receipts.headerFor(requestId, committed),
      },
    );
    return new TestApi(database, telemetry, app, logged, async () => {
      await sagas.stop();
      grants.close();
      receipts.close();
      await closeStores();
    });
  }

  async close(): Promise<void> {
    await this.app.close();
    this.app.get(Limits).close();
    await this.closeRest();
  }

  async ask(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, asked: Asked = {}): Promise<Answer> {
    const { key, body, idempotencyKey = randomUUID() } = asked;
    const headers: Record<string, string> = { ...asked.headers };
    if (key !== undefined) headers['authorization'] = `Bearer ${key}`;
    if (idempotencyKey !== null && (method === 'POST' || method === 'PATCH'))
      headers['idempotency-key'] = idempotencyKey;
    if (body !== undefined && !headers['content-type']) headers['content-type'] = 'application/json';
    const payload =
      body === undefined
        ? {}
        : { payload: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) };
    const answer = await this.app.inject({ method, url, headers, ...payload });
    const isJson = /[/+]json/.test(String(answer.headers['content-type']));
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text: answer.body,
      body: isJson ? answer.json() : {},
    };
  }

  /** A GraphQL request. */
  graphql(key: string | undefined, query: string, variables: object = {}): Promise<Answer> {
    return this.ask('POST', '/graphql', {
      ...(key !== undefined && { key }),
      body: { query, variables },
      idempotencyKey: null,
    });
  }

  /** The operator's requests. */
  operator(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, asked: Asked = {}): Promise<Answer> {
    return this.ask(method, url, { ...asked, key: OPERATOR_KEY });
  }

  /** A tenant that may have more of everything than a suite makes. */
  async largeTenant(): Promise<{ readonly id: string; readonly key: string }> {
    const tenant = await this.tenant();
    await this.operator('PATCH', `/v1/operator/tenants/${tenant.id}`, { body: { plan: 'enterprise' } });
    return tenant;
  }

  /** A tenant of its own with a key that may do everything. */
  async tenant(scopes: readonly string[] = ['*']): Promise<{ readonly id: string; readonly key: string }> {
    const slug = `t-${randomUUID()}`;
    const created = await this.operator('POST', '/v1/operator/tenants', { body: { slug, name: slug } });
    const id = String(created.body['id']);
    const made = await this.operator('POST', `/v1/operator/tenants/${id}/api-keys`, {
      body: { name: 'test', scopes },
    });
    return { id, key: String(made.body['secret']) };
  }

  /** The operator begins to act for the tenant; answers the access with its secret. */
  async supportAccess(tenantId: string, reason: string, more: object = {}): Promise<Answer['body']> {
    const url = `/v1/operator/tenants/${tenantId}/support-access`;
    return (await this.operator('POST', url, { body: { reason, ...more } })).body;
  }

  /** Opens an account and answers its id. */
  async account(key: string, code: string, more: object = {}): Promise<string> {
    const body = { code, asset: 'EUR/2', normalBalance: 'credit', ...more };
    return String((await this.ask('POST', '/v1/ledger/accounts', { key, body })).body['id']);
  }
}

/** An issuer that a test trusts, with the defaults of the configuration. */
export function trusting(issuer: string, more: Partial<TrustedIssuer> = {}): TrustedIssuer {
  const [config] = readConfig('api', { ...UNUSED, OIDC_ISSUERS: issuer }).oidcIssuers;
  if (!config) throw new Error('the configuration has no issuer');
  return { ...config, audience: ['holdfast'], ...more };
}

/** What the configuration of an API also wants, which no test reads. */
const UNUSED = {
  DATABASE_ADMIN_URL: 'postgres://localhost/unused',
  CLICKHOUSE_URL: 'http://localhost',
};
