import { type BenchApi, startBenchApi } from './bench-api';
import type { BenchSystem } from './bench-system';

/** Keep-alive connections, each with one request under way: more than the poster's batches need to fill. */
const CLIENTS = 64;
const WARM_UP_SECONDS = 1;
const SECONDS = 5;

/** Single transfers a second through the whole API, one POST each. Client and server share this process and its one core. */
export async function benchHttpTransfers(system: BenchSystem): Promise<number> {
  const api = await startBenchApi(system, CLIENTS);
  try {
    return await postSteadily(api);
  } finally {
    await api.stop();
  }
}

async function postSteadily(api: BenchApi): Promise<number> {
  const open = (code: string, normalBalance: string): ReturnType<BenchApi['ask']> =>
    api.ask('/v1/ledger/accounts', { code, normalBalance, asset: 'EUR/2', limit: 'none' });
  const [debit, credit] = [await open('cash', 'debit'), await open('sales', 'credit')];
  const transfer = { debitAccountId: debit.id, creditAccountId: credit.id, amount: '1' };
  const countsFrom = Date.now() + WARM_UP_SECONDS * 1_000;
  const until = countsFrom + SECONDS * 1_000;
  let counted = 0;
  const client = async (): Promise<void> => {
    while (Date.now() < until) {
      await api.ask('/v1/ledger/transfers', transfer);
      if (Date.now() >= countsFrom) counted += 1;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return counted / SECONDS;
}
