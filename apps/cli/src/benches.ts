import { ClickHouseConsumer, TelemetryStore } from '@holdfast/telemetry';
import { benchLedger, type LedgerFigures } from '../../../libs/modules/ledger/src/ledger.bench';
import { benchEvents } from '../../../libs/platform/events/src/events.bench';
import { benchRls, formatRlsFigures } from '../../../libs/platform/tenancy/src/rls.bench';
import { type BenchSystem, withBenchSystem } from './bench-system';
import { WrongUsage } from './failures';
import { benchHttpReads } from './http-reads.bench';
import { benchHttpTransfers } from './http-transfers.bench';
import { benchNoisyNeighbour, type NoiseFigures } from './noisy-neighbour.bench';

/** How benches are to run. */
export interface BenchOptions {
  /** How long the longest window of `delivery` lasts. */
  readonly seconds: number;
}

/** Benches by name. Each gets servers of its own and answers its figures for people. */
const BENCHES: Readonly<Record<string, (system: BenchSystem, options: BenchOptions) => Promise<string>>> = {
  ledger: async (system) => {
    const overHttp = await benchHttpTransfers(system);
    return ledgerText(await benchLedger(system), overHttp);
  },
  rls: async (system) => {
    const { adminUrl, caller, urlOf } = system;
    const inSql = formatRlsFigures(await benchRls({ adminUrl, caller, appUrl: urlOf('holdfast_app') }));
    const overHttp = await benchHttpReads(system);
    const against = `${ratio(overHttp.protected, overHttp.unprotected)} ${Math.round(overHttp.unprotected)}/s`;
    return `${inSql}\nread of an account over HTTP: ${Math.round(overHttp.protected)}/s\n  ${against}: the same without context and policies`;
  },
  events: deliveryText,
  delivery: againstPeers,
  noisy: async (system) => noiseText(await benchNoisyNeighbour(system)),
};

/** Runs the named benches, or all, one after the other: two at a time would measure each other. */
export async function runBenches(names: readonly string[], options: BenchOptions): Promise<void> {
  const known = Object.keys(BENCHES);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new WrongUsage(`There is no bench ${unknown.join(', ')}. There are: ${known.join(', ')}.`);
  }
  for (const name of names.length > 0 ? names : known) {
    process.stdout.write(`\n${name}\n`);
    await withBenchSystem(async (system) => {
      process.stdout.write(`${await BENCHES[name]?.(system, options)}\n`);
    });
  }
}

function ledgerText(figures: LedgerFigures, httpPerSecond: number): string {
  const { plainTransactions, pgbench } = figures;
  const against = (perSecond: number): string => {
    const ratios = [`${ratio(perSecond, plainTransactions)} plain SQL`];
    if (pgbench !== null) ratios.push(`${ratio(perSecond, pgbench)} pgbench`);
    return `${Math.round(perSecond)}/s (${ratios.join(', ')})`;
  };
  const latency = `p50 ${figures.singlesP50Ms.toFixed(1)} ms, p99 ${figures.singlesP99Ms.toFixed(1)} ms`;
  return [
    `transfers in batches, one connection: ${against(figures.batchesOneConnection)}`,
    `transfers in batches, two connections: ${against(figures.batchesTwoConnections)}`,
    `transfers in batches between two accounts: ${against(figures.batchesTwoAccounts)}`,
    `single transfers through the poster: ${against(figures.singlesThroughPoster)}, ${latency}`,
    `single transfers over HTTP, client in the same process: ${against(httpPerSecond)}`,
    `plain SQL, one transaction a transfer: ${Math.round(plainTransactions)}/s`,
    pgbench === null ? 'pgbench is not installed here' : `pgbench -b tpcb-like: ${Math.round(pgbench)}/s`,
  ].join('\n');
}

function noiseText({ quietMs, noisyMs, admitted, refused, quietRefused }: NoiseFigures): string {
  return [
    `p99 of nine quiet tenants: ${quietMs.toFixed(1)} ms, beside a noisy one ${noisyMs.toFixed(1)} ms: ${ratio(noisyMs, quietMs)}`,
    `the noisy one: ${Math.round(admitted)} requests/s admitted, ${Math.round(refused)} refused; of the quiet ones ${quietRefused} refused in all`,
  ].join('\n');
}

const ratio = (one: number, other: number): string => `${(one / other).toFixed(2)} ×`;

/** Commit to ClickHouse at 500 events a second. */
async function deliveryText({
  tenants,
  relay,
  grants,
  caller,
  urlOf,
  clickhouseUrl,
}: BenchSystem): Promise<string> {
  const store = new TelemetryStore({ url: clickhouseUrl });
  try {
    await store.migrate();
    const backend = { kind: 'postgres', url: urlOf('holdfast_jobs') } as const;
    const sink = new ClickHouseConsumer(store);
    const figures = await benchEvents({ tenants, relay, grants, caller, backend, sink });
    const latency = [figures.p50Ms, figures.p99Ms, figures.maxMs].map((ms) => `${ms.toFixed(0)} ms`);
    return `from commit to ClickHouse at 500 events/s: p50 ${latency[0]}, p99 ${latency[1]}, at most ${latency[2]} (${figures.events} events in ${figures.batches} batches)`;
  } finally {
    await store.close();
  }
}

/** Delivery under load, with transactions that stay open, and of a backlog, against what else there is. */
async function againstPeers(system: BenchSystem, { seconds }: BenchOptions): Promise<string> {
  const { adminUrl, urlOf, clickhouseUrl } = system;
  // What it compares with is there in development only.
  const { benchDelivery } = await import('../../../libs/platform/events/src/delivery.bench.js');
  const telemetry = new TelemetryStore({ url: clickhouseUrl });
  try {
    await telemetry.migrate();
    await benchDelivery({
      servers: {
        adminUrl,
        appUrl: urlOf('holdfast_app'),
        authUrl: urlOf('holdfast_auth'),
        relayUrl: urlOf('holdfast_relay'),
        backend: { kind: 'postgres', url: urlOf('holdfast_jobs') },
      },
      store: new ClickHouseConsumer(telemetry),
      seconds,
      say: (line) => process.stdout.write(`${line}\n`),
    });
    return '2,000 events/s over 100 tenants, five events a commit; CPU of delivery and server per event';
  } finally {
    await telemetry.close();
  }
}
