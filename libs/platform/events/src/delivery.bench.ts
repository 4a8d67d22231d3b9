import { spawnSync } from 'node:child_process';
import { freePort, startRedis, stopRedis } from '@holdfast/testing';
import type { StoreConsumer } from './consumer';
import type { BenchServers, Contestant } from './delivery-bench/contestant.bench';
import { HoldfastContestant } from './delivery-bench/holdfast.bench';
import { type Beside, type Figures, Run } from './delivery-bench/run.bench';

/** What the bench runs on. Nothing else uses this server meanwhile. */
export interface DeliveryBenchResources {
  readonly servers: BenchServers;
  /** ClickHouse: how fast a backlog of the log drains into it. */
  readonly store: StoreConsumer;
  /** How long the transaction beside the load stays open; without one the load goes on for a third of it. */
  readonly seconds: number;
  /** Hears each figure as it is found. */
  readonly say: (line: string) => void;
}

const EVENTS_PER_SECOND = 2_000;
/** Five accounts move in a commit, as in the ledger's batches. */
const EVENTS_PER_COMMIT = 5;
/** Of a backlog, so that it takes seconds also where delivery is fast. */
const BACKLOG_SECONDS = 10;
const BESIDES: readonly Beside[] = ['nothing', 'writer', 'reader'];

/** Delivery under load and of a backlog, of Holdfast and of what else there is, one after the other on the same server. */
export async function benchDelivery({ servers, store, seconds, say }: DeliveryBenchResources): Promise<void> {
  await withRedis(servers, async (redis) => {
    const all = redis ?? servers;
    const settleMs = seconds * 1_000;
    const load = { eventsPerSecond: EVENTS_PER_SECOND, eventsPerCommit: EVENTS_PER_COMMIT };
    const backlog = {
      eventsPerCommit: EVENTS_PER_COMMIT,
      eventsMax: Math.min(BACKLOG_SECONDS, seconds) * EVENTS_PER_SECOND,
    };
    const single = {
      eventsPerSecond: SINGLE_PER_SECOND,
      eventsPerCommit: 1,
      seconds: Math.ceil(seconds / 3),
    };
    say(HEADER);
    const holdfast = new HoldfastContestant(all);
    for (const contestant of [holdfast, ...(await peersOf(servers, redis))]) {
      for (const beside of BESIDES) {
        const lasts = beside === 'nothing' ? Math.ceil(seconds / 3) : seconds;
        say(lineOf(await new Run(all, contestant, settleMs).underLoad({ ...load, seconds: lasts }, beside)));
      }
      const one = await new Run(all, contestant, settleMs).underLoad(single, 'nothing');
      say(lineOf(one, 'one event a commit, 1,000/s'));
      say(lineOf(await new Run(all, contestant, settleMs).ofBacklog(backlog), 'backlog'));
      if (contestant !== holdfast) continue;
      const intoStore = new HoldfastContestant(all, store, 'holdfast to ClickHouse');
      say(lineOf(await new Run(all, intoStore, settleMs).ofBacklog(backlog), 'backlog'));
    }
    if (!redis)
      say('There is no redis-server here: queues are in PostgreSQL, and plain BullMQ was left out.');
  });
}

/** Twice as many commits as the five-event load has. */
const SINGLE_PER_SECOND = 1_000;

/** The others, whose packages are installed for development only. */
async function peersOf(
  servers: BenchServers,
  redis: BenchServers | undefined,
): Promise<readonly Contestant[]> {
  const { GraphileWorkerContestant } = await import('./delivery-bench/graphile-worker.bench.js');
  const { PgBossContestant } = await import('./delivery-bench/pg-boss.bench.js');
  const { TransactionalOutboxContestant } = await import('./delivery-bench/pg-transactional-outbox.bench.js');
  const { PlainBullMqContestant } = await import('./delivery-bench/plain-bullmq.bench.js');
  return [
    new GraphileWorkerContestant(servers),
    new PgBossContestant(servers),
    new TransactionalOutboxContestant(servers),
    ...(redis ? [new PlainBullMqContestant(redis)] : []),
  ];
}

async function withRedis(
  servers: BenchServers,
  work: (withRedis: BenchServers | undefined) => Promise<void>,
): Promise<void> {
  if (spawnSync('redis-server', ['--version']).status !== 0) return work(undefined);
  const port = await freePort();
  const redis = await startRedis(port);
  try {
    await work({ ...servers, backend: { kind: 'redis', url: `redis://127.0.0.1:${port}` } });
  } finally {
    await stopRedis(redis);
  }
}

const COLUMNS = [30, 30, 9, 8, 8, 9, 9, 9, 9, 11, 9];
const TITLES = [
  '',
  'beside',
  'events/s',
  'p50 ms',
  'p99 ms',
  'max ms',
  'inverted',
  'missing',
  'repeated',
  'dead/event',
  'CPU µs',
];
const HEADER = row(TITLES);
const BESIDE: Readonly<Record<Beside, string>> = {
  nothing: 'nothing',
  writer: 'a writer that stays open',
  reader: 'a reader that stays open',
};

function row(cells: readonly string[]): string {
  return cells
    .map((cell, column) =>
      column < 2 ? cell.padEnd(COLUMNS[column] ?? 0) : cell.padStart(COLUMNS[column] ?? 0),
    )
    .join('');
}

/** Dead tuples are those that were made; CPU is that of delivery and of the server in all, writers included, per event. */
function lineOf(figures: Figures, what = BESIDE[figures.beside]): string {
  const isBacklog = what === 'backlog';
  const ms = (value: number): string => (isBacklog ? '' : value.toFixed(value < 100 ? 1 : 0));
  const serverUs = [...figures.serverUs.values()].reduce((sum, us) => sum + us, 0);
  return row([
    figures.contestant,
    what,
    figures.eventsPerSecond.toFixed(0),
    ms(figures.p50Ms),
    ms(figures.p99Ms),
    ms(figures.maxMs),
    String(figures.inverted),
    String(figures.missing),
    String(figures.repeated),
    figures.deadTuples.made.toFixed(2),
    (figures.deliveryUs + serverUs).toFixed(0),
  ]);
}
