import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import { environmentWith, readConfig, version } from '@holdfast/config';
import { newId } from '@holdfast/kernel';
import { createLogger } from '@holdfast/observability';
import { TelemetryStore } from '@holdfast/telemetry';
import { startApi } from '../../api/src/api';
import type { BenchSystem } from './bench-system';

/** Keep-alive connections, each with one request under way: more than the poster's batches need to fill. */
const CLIENTS = 64;
const WARM_UP_SECONDS = 1;
const SECONDS = 5;

const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });

/** Single transfers a second through the whole API, one POST each. Client and server share this process and its one core. */
export async function benchHttpTransfers({ adminUrl, clickhouseUrl }: BenchSystem): Promise<number> {
  const telemetry = new TelemetryStore({ url: clickhouseUrl });
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
  try {
    const { id } = await post(api.url, operatorKey, '/v1/operator/tenants', { slug: 'bench', name: 'Bench' });
    const made = await post(api.url, operatorKey, `/v1/operator/tenants/${id}/api-keys`, {
      name: 'bench',
      scopes: ['*'],
    });
    return await postSteadily(api.url, made.secret ?? '');
  } finally {
    await api.stop();
    await telemetry.close();
    agent.destroy();
  }
}

async function postSteadily(api: string, key: string): Promise<number> {
  const open = (code: string, normalBalance: string): Promise<Made> =>
    post(api, key, '/v1/ledger/accounts', { code, normalBalance, asset: 'EUR/2', limit: 'none' });
  const [debit, credit] = [await open('cash', 'debit'), await open('sales', 'credit')];
  const transfer = { debitAccountId: debit.id, creditAccountId: credit.id, amount: '1' };
  const countsFrom = Date.now() + WARM_UP_SECONDS * 1_000;
  const until = countsFrom + SECONDS * 1_000;
  let counted = 0;
  const client = async (): Promise<void> => {
    while (Date.now() < until) {
      await post(api, key, '/v1/ledger/transfers', transfer);
      if (Date.now() >= countsFrom) counted += 1;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return counted / SECONDS;
}

interface Made {
  readonly id: string;
  readonly secret?: string;
}

/** Node's own client: several times cheaper than fetch, which would measure itself. */
function post(api: string, key: string, path: string, body: object): Promise<Made> {
  const headers = {
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
    'idempotency-key': newId(),
  };
  return new Promise((resolve, reject) => {
    const sent = request(`${api}${path}`, { method: 'POST', agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        if (response.statusCode === 201) resolve(JSON.parse(text) as Made);
        else reject(new Error(`POST ${path} was answered ${response.statusCode}: ${text}`));
      });
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}
