import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import { type Environment, environmentWith, readConfig, version } from '@holdfast/config';
import { newId, type PlanName } from '@holdfast/kernel';
import { TelemetryStore } from '@holdfast/clickhouse';
import { createLogger } from '@holdfast/observability';
import { startApi } from '../../api/src/api';
import type { BenchSystem } from './bench-system';

/** An answer to a bench's request. */
export interface Answered {
  readonly id: string;
  readonly secret?: string;
}

/** A tenant of a bench, with a key for everything. */
export interface BenchTenant {
  readonly id: string;
  readonly key: string;
  /** Sends a request of the tenant, a POST when it has a body; throws unless the answer is 200 or 201. */
  readonly ask: (path: string, body?: object) => Promise<Answered>;
}

/** The API over a bench's database, in this process, and a tenant in it. */
export interface BenchApi extends BenchTenant {
  readonly url: string;
  /** Another tenant, on a plan. */
  readonly tenant: (slug: string, plan: PlanName) => Promise<BenchTenant>;
  stop(): Promise<void>;
}

/** A client that sends as fast as it can is what limits are there to stop. */
const UNLIMITED: Environment = { HOLDFAST_LIMITS: 'off' };

/**
 * Starts the API with a tenant. `connections` are kept alive, one request at a time on each. Nobody is limited unless the
 * settings say so.
 */
export async function startBenchApi(
  { adminUrl, clickhouseUrl }: Pick<BenchSystem, 'adminUrl' | 'clickhouseUrl'>,
  connections: number,
  settings: Environment = UNLIMITED,
): Promise<BenchApi> {
  const telemetry = new TelemetryStore({ url: clickhouseUrl });
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const operatorKey = `hfo_${newId()}`;
  const environment = environmentWith({
    NODE_ENV: 'development',
    DATABASE_ADMIN_URL: adminUrl,
    CLICKHOUSE_URL: clickhouseUrl,
    OPERATOR_KEY_HASH: createHash('sha256').update(operatorKey).digest('hex'),
    HOLDFAST_PORT: '0',
    ...settings,
  });
  const api = await startApi(readConfig('api', environment), {
    logger: createLogger({ app: 'bench', level: 'error' }),
    telemetry,
    version: version(),
    graphiql: false,
    serveMetrics: false,
    drainMs: 0,
  });
  const send = (key: string, path: string, body?: object, method?: 'PATCH'): Promise<Answered> =>
    sendRequest(agent, `${api.url}${path}`, key, body, method);
  const tenant = async (slug: string, plan: PlanName): Promise<BenchTenant> => {
    const { id } = await send(operatorKey, '/v1/operator/tenants', { slug, name: slug });
    await send(operatorKey, `/v1/operator/tenants/${id}`, { plan }, 'PATCH');
    const keys = `/v1/operator/tenants/${id}/api-keys`;
    const { secret: key = '' } = await send(operatorKey, keys, { name: 'bench', scopes: ['*'] });
    return { id, key, ask: (path, body) => send(key, path, body) };
  };
  const stop = async (): Promise<void> => {
    await api.stop();
    await telemetry.close();
    agent.destroy();
  };
  return { ...(await tenant('bench', 'standard')), url: api.url, tenant, stop };
}

/** Node's own client: several times cheaper than fetch, which would measure itself. */
function sendRequest(
  agent: Agent,
  url: string,
  key: string,
  body?: object,
  method = body ? 'POST' : 'GET',
): Promise<Answered> {
  const headers = {
    authorization: `Bearer ${key}`,
    ...(body && { 'content-type': 'application/json', 'idempotency-key': newId() }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        if (response.statusCode === 200 || response.statusCode === 201) resolve(JSON.parse(text) as Answered);
        else reject(new Error(`${url} was answered ${response.statusCode}: ${text}`));
      });
    });
    sent.on('error', reject);
    sent.end(body && JSON.stringify(body));
  });
}
