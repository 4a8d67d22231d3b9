import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';

/** What a client process is asked to do: single transfers on each connection, one after the other, for so many seconds. */
export interface SteadyLoad {
  readonly url: string;
  readonly key: string;
  readonly connections: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly accountIds: readonly string[];
}

/** Milliseconds of each transfer that was answered behind the warm-up. */
export interface SteadyOutcome {
  readonly latenciesMs: readonly number[];
}

async function run(load: SteadyLoad): Promise<SteadyOutcome> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
  const latenciesMs: number[] = [];
  const countsFrom = performance.now() + load.warmUpSeconds * 1_000;
  const until = countsFrom + load.seconds * 1_000;
  const client = async (): Promise<void> => {
    for (let sentAt = performance.now(); sentAt < until; sentAt = performance.now()) {
      await post(agent, load);
      const answeredAt = performance.now();
      if (answeredAt >= countsFrom && answeredAt < until) latenciesMs.push(answeredAt - sentAt);
    }
  };
  await Promise.all(Array.from({ length: load.connections }, client));
  agent.destroy();
  return { latenciesMs };
}

function post(agent: Agent, { url, key, accountIds }: SteadyLoad): Promise<void> {
  const from = Math.floor(Math.random() * accountIds.length);
  const to = (from + 1 + Math.floor(Math.random() * (accountIds.length - 1))) % accountIds.length;
  const transfer = { debitAccountId: accountIds[from], creditAccountId: accountIds[to], amount: '1' };
  const headers = {
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
    'idempotency-key': randomUUID(),
  };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/v1/ledger/transfers`, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.on('end', () => {
        if (response.statusCode === 201) resolve();
        else reject(new Error(`a transfer was answered ${response.statusCode}`));
      });
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(transfer));
  });
}

process.once('message', (load: SteadyLoad) => {
  void run(load).then((outcome) => process.send?.(outcome, () => process.disconnect()));
});
