import { type Caller, newId } from '@holdfast/kernel';
import { TelemetryStore } from '@holdfast/clickhouse';
import { ClickHouseConsumer } from '@holdfast/telemetry';
import { callerOf } from '@holdfast/tenancy';
import { benchLedger } from '../../../libs/modules/ledger/src/ledger.bench';
import { benchEvents } from '../../../libs/platform/events/src/events.bench';
import { benchRls, formatRlsFigures } from '../../../libs/platform/tenancy/src/rls.bench';
import { benchTlog, formatTlogFigures } from '../../../libs/platform/tlog/src/tlog.bench';
import { benchAudit } from './audit.bench';
import { BENCH_NAMES } from './bench-names';
import { type BenchSystem, withBenchSystem } from './bench-system';
import { VerbFailed, WrongUsage } from './failures';
import { benchHttpReads } from './http-reads.bench';
import { benchHttpTransfers } from './http-transfers.bench';
import { benchIngest } from './ingest.bench';
import { ledgerText } from './ledger-figures';
import { benchNoisyNeighbour, type NoiseFigures } from './noisy-neighbour.bench';
import { benchSagas } from './sagas.bench';
import { benchTelemetryReads } from './telemetry-reads.bench';

/** How benches are to run. */
export interface BenchOptions {
  /** How long the longest window of `delivery` lasts; those of `ledger` are so many times shorter. */
  readonly seconds: number;
}

/** The ledger is measured in some fifty windows: with those of a minute's bench they take four minutes in all. */
const LEDGER_WINDOWS = 20;
/** Over HTTP for longer, so that memory has time to grow. */
const HTTP_WINDOWS = 6;

/** Benches by name. Each gets servers of its own and answers its figures for people. */
const BENCHES: Readonly<
  Record<(typeof BENCH_NAMES)[number], (system: BenchSystem, options: BenchOptions) => Promise<string>>
> = {
  ledger: async (system, { seconds }) => {
    const { adminUrl, tenants, grants, caller } = system;
    const window = Math.max(1, seconds / LEDGER_WINDOWS);
    const overHttp = await benchHttpTransfers(system, window * HTTP_WINDOWS);
    const renewCaller = async (): Promise<Caller> =>
      callerOf(await grants.forSystem('bench', caller.tenantId), { requestId: newId() });
    const say = (line: string): void => void process.stdout.write(`  ${line}\n`);
    return ledgerText(await benchLedger({ adminUrl, tenants, renewCaller, seconds: window, say }), overHttp);
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
  audit: (system, { seconds }) => benchAudit(system, seconds),
  ingest: (system, { seconds }) => benchIngest(system, seconds),
  sagas: (system, { seconds }) => benchSagas(system, seconds),
  'telemetry-reads': (system) => benchTelemetryReads(system),
  tlog: async () => formatTlogFigures(await benchTlog()),
  noisy: async (system) => noiseText(await benchNoisyNeighbour(system)),
};

/**
 * Runs the named benches, or all, one after the other: two at a time would measure each other. One that fails, as where its
 * figures do not add up, does not keep the others from running; it says so, and all end with an error. A target that is missed is printed, and is none: machines differ.
 */
export async function runBenches(names: readonly string[], options: BenchOptions): Promise<void> {
  const unknown = names.filter((name) => !isBench(name));
  if (unknown.length > 0) {
    throw new WrongUsage(`There is no bench ${unknown.join(', ')}. There are: ${BENCH_NAMES.join(', ')}.`);
  }
  const failed: string[] = [];
  for (const name of names.length > 0 ? names.filter(isBench) : BENCH_NAMES) {
    process.stdout.write(`\n${name}\n`);
    try {
      await withBenchSystem(async (system) => {
        process.stdout.write(`${await BENCHES[name](system, options)}\n`);
      });
    } catch (error) {
      failed.push(name);
      process.stdout.write(
        `FAILED: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
      );
    }
  }
  if (failed.length === 0) return;
  process.stdout.write(`\nFAILED: ${failed.join(', ')}\n`);
  throw new VerbFailed(failed.join(', '));
}

const isBench = (name: string): name is (typeof BENCH_NAMES)[number] =>
  BENCH_NAMES.some((known) => known === name);

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
