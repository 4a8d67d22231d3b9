import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@clickhouse/client';
import type { EventLoad, LoadOutcome } from '../../../libs/platform/ingest/test/event-load';
import { type Books, booksText, unaccounted } from '../../ingest/test/books';
import type { BenchSystem } from './bench-system';
import type { IngestProcess } from '../../ingest/test/ingest-process';
import { type IngestStage, openStage } from './ingest-stage.bench';

/** How large and how long: a run with `--quick` says whether it works, and not how fast. */
interface Scale {
  readonly pairs: number;
  readonly windowSeconds: number;
  readonly warmUpSeconds: number;
  readonly endToEndSeconds: number;
  readonly steadySeconds: number;
}

/** What one window measured: requests a second, latencies, and the receiver's CPU for a million events. */
interface Window {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuPerMillion: number;
}

const CONNECTIONS = 64;
/** Connections of a browser or a server's SDK, a few of which are busy at once, fill the same queue. */
const BATCH_CONNECTIONS = 16;
const BATCH = 50;
/** Quotas of the standard plan: 20,000 events a second each. As many tenants do not come to them. */
const TENANTS = 16;
/** Batches a second of the long run: a third of what is asked for at its peak. */
const STEADY_PER_SECOND = 1_000;
const SETTLE_MS = 120_000;
const P99_MAX_MS = 50;

/**
 * Ingest, in a process of its own, beside the least that a server on Fastify can do; its load generator is another process, on the
 * same cores.
 *
 * How much is taken in is measured over a store that takes batches over HTTP, and discards them: all of the pipeline is at work, up to the
 * sending, and no ClickHouse on the cores, where in production it has its own. How much gets into ClickHouse is measured into ClickHouse, on
 * these cores as well.
 */
export async function benchIngest(system: BenchSystem, seconds: number): Promise<string> {
  const scale: Scale =
    seconds < 10
      ? { pairs: 1, windowSeconds: 1, warmUpSeconds: 0.5, endToEndSeconds: 2, steadySeconds: 3 }
      : {
          pairs: 5,
          windowSeconds: seconds / 20,
          warmUpSeconds: 1,
          endToEndSeconds: seconds / 4,
          steadySeconds: seconds,
        };
  const stage = await openStage(system, TENANTS);
  try {
    const lines = await over(stage, stage.discardingUrl, (ingest) =>
      new IngestBench(system, scale, stage, ingest).intake(),
    );
    const stored = await over(stage, system.clickhouseUrl, (ingest) =>
      new IngestBench(system, scale, stage, ingest).storing(),
    );
    return [...lines, ...stored].join('\n');
  } finally {
    stage.close();
  }
}

async function over<Result>(
  stage: IngestStage,
  clickhouseUrl: string,
  work: (ingest: IngestProcess) => Promise<Result>,
): Promise<Result> {
  const { ingest, stop } = await stage.startIngest(clickhouseUrl);
  try {
    return await work(ingest);
  } finally {
    await stop();
  }
}

class IngestBench {
  private runs = 0;

  constructor(
    private readonly system: BenchSystem,
    private readonly scale: Scale,
    private readonly stage: IngestStage,
    private readonly ingest: IngestProcess,
  ) {}

  /** What is taken in, over a store that discards. */
  async intake(): Promise<string[]> {
    const lines = [
      await this.against('one event a request', 1, CONNECTIONS),
      await this.against(`batches of ${BATCH}`, BATCH, BATCH_CONNECTIONS),
    ];
    return ['Into a store that discards:', ...lines.flat(), `  ${balancedText(await this.ingest.books())}`];
  }

  /** What gets into ClickHouse. */
  async storing(): Promise<string[]> {
    return ['Into ClickHouse:', ...(await this.endToEnd()), ...(await this.steady())];
  }

  /** Ingest and its peer in pairs whose order alternates. What ingest has taken is stored before the next window. */
  private async against(what: string, events: number, connections: number): Promise<string[]> {
    const [ours, peers]: [Window[], Window[]] = [[], []];
    for (let pair = 0; pair < this.scale.pairs; pair += 1) {
      for (const isOurs of pair % 2 === 0 ? [false, true] : [true, false]) {
        const window = await this.window(isOurs, events, connections);
        (isOurs ? ours : peers).push(window);
        say(`${what}, ${isOurs ? 'ingest' : 'bare Fastify'}: ${windowText(window, events)}`);
      }
    }
    const middle = (windows: readonly Window[]): Window => middleOf(windows);
    const [our, peer] = [middle(ours), middle(peers)];
    const ratio = our.perSecond / peer.perSecond;
    const targets =
      events === 1
        ? [missed(our.perSecond, 10_000, 'requests/s'), missed(ratio, 0.7, '× a bare Fastify')]
        : [missed(our.perSecond * events, 150_000, 'events/s')];
    return [
      `${what}: ${windowText(our, events)}`,
      `  bare Fastify that parses and discards: ${windowText(peer, events)}: ${ratio.toFixed(2)} ×`,
      ...targets.flat(),
      ...(our.p99Ms < P99_MAX_MS ? [] : [`  MISSED: p99 under ${P99_MAX_MS} ms`]),
    ];
  }

  private async window(isOurs: boolean, events: number, connections: number): Promise<Window> {
    const { windowSeconds: seconds, warmUpSeconds } = this.scale;
    const port = isOurs ? this.ingest.port : this.stage.peerPort;
    const before = await this.cpuSeconds(isOurs);
    const outcome = await this.send({ port, events, connections, seconds, warmUpSeconds });
    if (isOurs) await this.ingest.settled(SETTLE_MS);
    const cpu = (await this.cpuSeconds(isOurs)) - before;
    const sent = Object.values(outcome.statuses).reduce((sum, count) => sum + count, 0) * events;
    return { ...outcome, cpuPerMillion: (cpu / sent) * 1e6 };
  }

  /** As fast as answers come, and then until the store has all of it. Rows are counted in the store. */
  private async endToEnd(): Promise<string[]> {
    const before = await this.ingest.books();
    const startedAt = performance.now();
    const outcome = await this.send({
      port: this.ingest.port,
      events: BATCH,
      connections: BATCH_CONNECTIONS,
      seconds: this.scale.endToEndSeconds,
      warmUpSeconds: 0,
    });
    const books = await this.ingest.settled(SETTLE_MS);
    const tookSeconds = (performance.now() - startedAt) / 1_000;
    const rows = await this.rowsOf(`bench-${this.runs}-`);
    const acknowledged = (outcome.statuses[200] ?? 0) * BATCH;
    if (rows !== acknowledged)
      throw new Error(`${rows} of ${acknowledged} acknowledged events are in the store`);
    return [
      `end to end: ${rate(rows / tookSeconds)}, all stored ${(tookSeconds - this.scale.endToEndSeconds).toFixed(1)} s behind the last answer`,
      `  ${acknowledged} acknowledged, ${rows} rows in the store, ${books.stored - before.stored} told as stored`,
      ...missed(rows / tookSeconds, 50_000, 'events/s until all are stored'),
      `  the whole run: ${balancedText(books)}`,
    ];
  }

  /** At a steady rate, for long: what the process holds, and how late it answers. */
  private async steady(): Promise<string[]> {
    const { steadySeconds: seconds } = this.scale;
    const samples: number[] = [];
    const watching = new AbortController();
    const watched = (async (): Promise<void> => {
      while (!watching.signal.aborted) {
        samples.push((await this.ingest.usage()).residentMb);
        await sleep(1_000, undefined, { signal: watching.signal }).catch(() => {}); // Enough.
      }
    })();
    const before = await this.cpuSeconds(true);
    const outcome = await this.send({
      port: this.ingest.port,
      events: BATCH,
      connections: BATCH_CONNECTIONS,
      seconds,
      warmUpSeconds: 0,
      perSecond: STEADY_PER_SECOND,
    });
    watching.abort();
    await watched;
    const books = await this.ingest.settled(SETTLE_MS);
    const cpu = (await this.cpuSeconds(true)) - before;
    const events = (outcome.statuses[200] ?? 0) * BATCH;
    const at = (part: number): string =>
      `${Math.round(samples[Math.floor((samples.length - 1) * part)] ?? 0)}`;
    return [
      `${rate(outcome.perSecond * BATCH)} in batches of ${BATCH} for ${seconds} s: p50 ${ms(outcome.p50Ms)}, p99 ${ms(outcome.p99Ms)}; ${((cpu / events) * 1e6).toFixed(1)} CPU seconds a million events`,
      `  memory in MB at the beginning, at each quarter and at the end: ${[0, 0.25, 0.5, 0.75, 1].map(at).join(', ')}; second half ${slopePerMinute(samples.slice(samples.length / 2)).toFixed(1)} MB a minute`,
      `  ${balancedText(books)}`,
    ];
  }

  private async send(load: Omit<EventLoad, 'writeKeys' | 'run'>): Promise<LoadOutcome> {
    this.runs += 1;
    const outcome = await this.stage.sender.send({
      ...load,
      writeKeys: load.port === this.stage.peerPort ? this.stage.writeKeys.slice(0, 1) : this.stage.writeKeys,
      run: `bench-${this.runs}`,
    });
    const others = Object.entries(outcome.statuses).filter(([status]) => status !== '200');
    if (others.length > 0) throw new Error(`requests were answered ${JSON.stringify(outcome.statuses)}`);
    return outcome;
  }

  private async cpuSeconds(ofIngest: boolean): Promise<number> {
    return ofIngest ? (await this.ingest.usage()).cpuSeconds : this.stage.peerCpuSeconds();
  }

  private async rowsOf(prefix: string): Promise<number> {
    const client = createClient({ url: this.system.clickhouseUrl });
    try {
      const answer = await client.query({
        query:
          'select count() as rows from telemetry.tracked final where startsWith(message_id, {prefix:String})',
        query_params: { prefix },
        format: 'JSONEachRow',
      });
      const [row] = await answer.json<{ rows: string }>();
      return Number(row?.rows);
    } finally {
      await client.close();
    }
  }
}

function middleOf(windows: readonly Window[]): Window {
  const middle = (key: keyof Window): number =>
    windows.map((window) => window[key]).toSorted((one, other) => one - other)[
      Math.floor((windows.length - 1) / 2)
    ] ?? Number.NaN;
  return {
    perSecond: middle('perSecond'),
    p50Ms: middle('p50Ms'),
    p99Ms: middle('p99Ms'),
    cpuPerMillion: middle('cpuPerMillion'),
  };
}

/** What is promised of a quiet machine with two cores, where it is not met. */
function missed(value: number, least: number, what: string): string[] {
  return value >= least ? [] : [`  MISSED: at least ${least.toLocaleString('en')} ${what}`];
}

/** Of samples a second apart, by least squares. */
function slopePerMinute(samples: readonly number[]): number {
  const middle = (samples.length - 1) / 2;
  const mean = samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
  const covariance = samples.reduce((sum, sample, at) => sum + (at - middle) * (sample - mean), 0);
  const variance = samples.reduce((sum, _, at) => sum + (at - middle) ** 2, 0);
  return (covariance / Math.max(1, variance)) * 60;
}

/** A rate of events that are not accounted for is none. */
function balancedText(books: Books): string {
  if (unaccounted(books) !== 0) throw new Error(`the books do not add up: ${booksText(books)}`);
  return booksText(books);
}

const say = (line: string): void => void process.stdout.write(`  ${line}\n`);
const ms = (value: number): string => `${value < 10 ? value.toFixed(2) : Math.round(value)} ms`;
const rate = (perSecond: number): string => `${Math.round(perSecond).toLocaleString('en')} events/s`;
const windowText = ({ perSecond, p50Ms, p99Ms, cpuPerMillion }: Window, events: number): string =>
  `${rate(perSecond * events)}, p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}, ${cpuPerMillion.toFixed(1)} CPU seconds a million events`;
