import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';

/** A tenant as a client process needs it. */
export interface LoadTenant {
  readonly key: string;
  readonly transfer: {
    readonly debitAccountId: string;
    readonly creditAccountId: string;
    readonly amount: string;
  };
}

/** What a client process is asked to do: each tenant's requests at its own rate, for so many seconds. */
export interface Load {
  readonly url: string;
  readonly seconds: number;
  readonly tenants: readonly (LoadTenant & { readonly address: string; readonly perSecond: number })[];
}

/** What became of them: how many were refused, and of the others the milliseconds from when each was due. */
export interface Outcome {
  readonly refused: number;
  readonly latenciesMs: readonly number[];
}

/** One request in so many posts a transfer; the others read an account. */
const WRITE_EVERY = 4;

/**
 * A client with an open loop: requests leave when they are due, whether or not earlier ones were answered, and latency
 * counts from then. A closed loop would send less to a slow server, and so hide how slow it is.
 */
async function run({ url, seconds, tenants }: Load): Promise<Outcome> {
  let refused = 0;
  const latenciesMs: number[] = [];
  const startsAtMs = performance.now() + 100;
  await Promise.all(
    tenants.map(async ({ perSecond, ...tenant }, place) => {
      const agent = new Agent({ keepAlive: true });
      const sent: Promise<void>[] = [];
      for (let n = 0; n < seconds * perSecond; n += 1) {
        // Tenants do not send in step, nor any of them like a clock.
        const dueAtMs = startsAtMs + ((n + (place % 7) / 7 + Math.random() / 2) * 1_000) / perSecond;
        await until(dueAtMs);
        sent.push(
          send(url, tenant, agent, n % WRITE_EVERY === 0).then((status) => {
            if (status === 429) refused += 1;
            else latenciesMs.push(performance.now() - dueAtMs);
          }),
        );
      }
      await Promise.all(sent);
      agent.destroy();
    }),
  );
  return { refused, latenciesMs };
}

function until(atMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, atMs - performance.now())));
}

function send(
  url: string,
  { key, transfer, address }: LoadTenant & { readonly address: string },
  agent: Agent,
  isWrite: boolean,
): Promise<number> {
  const path = isWrite ? '/v1/ledger/transfers' : `/v1/ledger/accounts/${transfer.debitAccountId}`;
  const headers = {
    authorization: `Bearer ${key}`,
    ...(isWrite && { 'content-type': 'application/json', 'idempotency-key': randomUUID() }),
  };
  const options = { method: isWrite ? 'POST' : 'GET', agent, headers, localAddress: address };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, options, (response) => {
      response.resume();
      const { statusCode = 0 } = response;
      response.on('end', () => {
        if (statusCode < 400 || statusCode === 429) resolve(statusCode);
        else reject(new Error(`${path} was answered ${statusCode}`));
      });
    });
    sent.on('error', reject);
    sent.end(isWrite ? JSON.stringify(transfer) : undefined);
  });
}

process.once('message', (load: Load) => {
  void run(load).then((outcome) => process.send?.(outcome, () => process.disconnect()));
});
