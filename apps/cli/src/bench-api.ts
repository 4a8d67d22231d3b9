import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import { environmentWith, readConfig, version } from '@holdfast/config';
import { newId } from '@holdfast/kernel';
import { createLogger } from '@holdfast/observability';
import { TelemetryStore } from '@holdfast/telemetry';
import { startApi } from '../../api/src/api';
import type { BenchSystem } from './bench-system';

/** An answer to a bench's request. */
export interface Answered {
  readonly id: string;
  readonly secret?: string;
}

/** The API over a bench's database, in this process, and a tenant in it. */
export interface BenchApi {
  /** Sends a request of the tenant, a POST when it has a body; throws unless the answer is 200 or 201. */
  ask(path: string, body?: object): Promise<Answered>;
  stop(): Promise<void>;
}

/** Starts the API with a tenant that has a key for everything. `connections` are kept alive, one request at a time on each. */
export async function startBenchApi(
  { adminUrl, clickhouseUrl }: Pick<BenchSystem, 'adminUrl' | 'clickhouseUrl'>,
  connections: number,
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
  });
  const api = await startApi(readConfig('api', environment), {
    logger: createLogger({ app: 'bench', level: 'error' }),
    telemetry,
    version: version(),
    graphiql: false,
    serveMetrics: false,
    drainMs: 0,
  });
  const send = (key: string, path: string, body?: object): Promise<Answered> =>
    sendRequest(agent, `${api.url}${path}`, key, body);
  const { id } = await send(operatorKey, '/v1/operator/tenants', { slug: 'bench', name: 'Bench' });
  const { secret = '' } = await send(operatorKey, `/v1/operator/tenants/${id}/api-keys`, {
    name: 'bench',
    scopes: ['*'],
  });
  const stop = async (): Promise<void> => {
    await api.stop();
    await telemetry.close();
    agent.destroy();
  };
  return { ask: (path, body) => send(secret, path, body), stop };
}

/** Node's own client: several times cheaper than fetch, which would measure itself. */
function sendRequest(agent: Agent, url: string, key: string, body?: object): Promise<Answered> {
  const headers = {
    authorization: `Bearer ${key}`,
    ...(body && { 'content-type': 'application/json', 'idempotency-key': newId() }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: body ? 'POST' : 'GET', agent, headers }, (response) => {
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
