import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { BenchTenant } from './accounts.bench';
import { type BenchServers, CONNECTIONS, type Publisher, type PublisherModule } from './contestant.bench';
import { CommitTimes, nowMs } from './tally.bench';

/** How much is written. */
export interface Load {
  /** Events a second over all tenants; absent: as fast as the writers go. */
  readonly eventsPerSecond?: number;
  /** Events of one commit, each of another account: the ledger's poster commits what has arrived meanwhile together. */
  readonly eventsPerCommit: number;
  /** Ends after so many seconds, or so many events. */
  readonly seconds?: number;
  readonly eventsMax?: number;
}

/** What the writers have done, and what their thread cost. */
export interface Written {
  readonly events: number;
  readonly cpuMs: number;
}

// oxlint-disable unicorn/require-post-message-target-origin -- Threads have no origin; that is about windows.

interface Setup {
  readonly servers: BenchServers;
  readonly publisher: string;
  readonly tenants: readonly BenchTenant[];
  readonly firstPlace: number;
  readonly shared: SharedArrayBuffer;
}

/** Writers in a thread of their own, with an event loop that delivery does not share. */
export class Writers {
  private constructor(private readonly thread: Worker) {}

  static async start(setup: Setup): Promise<Writers> {
    const thread = new Worker(__filename, { workerData: setup });
    await once(thread, 'message');
    return new Writers(thread);
  }

  /** Writes at a steady rate, whatever becomes of it; resolves when the last commit is answered. */
  async write(load: Load): Promise<Written> {
    this.thread.postMessage(load);
    const [written] = (await once(this.thread, 'message')) as [Written];
    return written;
  }

  async stop(): Promise<void> {
    this.thread.postMessage(undefined);
    await once(this.thread, 'exit');
  }
}

async function serve({ servers, publisher: file, tenants, firstPlace, shared }: Setup): Promise<void> {
  const { openPublisher } = (await import(file)) as PublisherModule;
  const publisher = await openPublisher(servers, CONNECTIONS);
  const times = new CommitTimes(firstPlace, shared);
  parentPort?.on('message', (load: Load | undefined) => {
    if (load === undefined) void publisher.close().finally(() => process.exit(0));
    else void writeAll(publisher, tenants, times, load).then((written) => parentPort?.postMessage(written));
  });
  parentPort?.postMessage('ready');
}

async function writeAll(
  publisher: Publisher,
  tenants: readonly BenchTenant[],
  times: CommitTimes,
  load: Load,
): Promise<Written> {
  const { eventsPerSecond, eventsPerCommit, seconds = Infinity, eventsMax = Infinity } = load;
  const cpuBefore = process.threadCpuUsage();
  const startedAt = nowMs();
  const total = Math.min(eventsMax, (eventsPerSecond ?? Infinity) * seconds) / eventsPerCommit;
  let sent = 0;
  const commitOne = async (): Promise<void> => {
    const tenant = tenants[Math.floor(Math.random() * tenants.length)];
    if (!tenant) return;
    const from = Math.floor(Math.random() * tenant.accountIds.length);
    const accountIds = [...tenant.accountIds, ...tenant.accountIds].slice(from, from + eventsPerCommit);
    await publisher.commit(tenant.id, accountIds, (movements) => times.note(movements));
  };
  if (eventsPerSecond === undefined) {
    const writer = async (): Promise<void> => {
      while (sent++ < total) await commitOne();
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, writer));
  } else {
    const commits: Promise<void>[] = [];
    for (; sent < total; sent += 1) {
      const dueMs = startedAt + (sent * eventsPerCommit * 1_000) / eventsPerSecond - nowMs();
      if (dueMs > 0.5) await sleep(dueMs);
      commits.push(commitOne());
    }
    await Promise.all(commits);
  }
  const { user, system } = process.threadCpuUsage(cpuBefore);
  return { events: Math.round(total * eventsPerCommit), cpuMs: (user + system) / 1_000 };
}

if (!isMainThread && parentPort) void serve(workerData as Setup);
