import { setTimeout as sleep } from 'node:timers/promises';
import { QuickPolicy } from '@holdfast/resilience';
import {
  emptyJournal,
  type Opened,
  openQueue,
  openWorker,
  type OpenQueue,
  type OpenWorker,
  prepareBackend,
  type QueueBackend,
} from './backend';

/** What a queue needs to be told. */
export interface WakeUpQueueOptions {
  /** The consumer group that is woken. */
  readonly name: string;
  readonly backend: QueueBackend;
  /** Hears of lost connections and of handlers that threw; nothing else fails because of them. */
  readonly report: (error: unknown, doing: string) => void;
}

/** A call that the backend does not answer within this time has failed: whoever waits has other ways to wake. */
const CALL_TIMEOUT_MS = 1_000;
/**
 * A job whose process died holds its key until it counts as stalled: after at most the lock and one check more. The
 * relay's sweep delivers by itself after 2 s, so this only has to be of the same order.
 */
const LOCK_MS = 4_000;
const STALLED_CHECK_MS = 2_000;
/** Failed wake-ups are kept for a look at their stack; a completed one is nothing but done. */
const FAILED_KEPT = 100;
/** More jobs than these are not looked through: a key has one job at most, and a failed one is removed behind 100 others. */
const JOBS_PER_PAGE = 1_000;
const PAGES_MAX = 100;
/** Pause before a backend that failed is tried again. */
const REOPEN_DELAY_MS = 1_000;
/** BullMQ's fetch loop turns without a pause on errors it does not know: so many within a second, and it is replaced. */
const ERRORS_MAX = 5;

/**
 * "This group has work for this key", on BullMQ. A wake-up carries no truth and may be lost, doubled or late: whoever
 * is woken reads its cursor, and the relay's sweep wakes again whatever lags.
 *
 * Per key, one job waits at most and one runs at most: a wake-up that arrives while its key's job runs is kept and
 * runs afterwards (`keepLastIfActive`), for the running job may have looked too early to see what it is about.
 */
export class WakeUpQueue {
  private opening: Promise<Opened<OpenQueue>> | undefined;
  private readonly running = new Set<Promise<void>>();
  private working: Promise<void> = Promise.resolve();
  private readonly stopping = new AbortController();

  constructor(private readonly options: WakeUpQueueOptions) {}

  /** Wakes each key once. Throws when the backend does not take them within about a second. */
  async enqueue(keys: readonly string[]): Promise<void> {
    const opts = { removeOnComplete: true, removeOnFail: FAILED_KEPT };
    const jobs = keys.map((key) => ({
      name: 'wake',
      data: { key },
      opts: { ...opts, deduplication: { id: key, keepLastIfActive: true } },
    }));
    const { end: queue } = await this.open();
    await calls().run(() => queue.addBulk(jobs));
  }

  /** Begins to hand wake-ups to the handler, `concurrency` at a time, as soon as and whenever the backend is there. */
  work(handler: (key: string) => Promise<void>, concurrency: number): void {
    this.working = this.keepWorking(handler, concurrency);
  }

  /** Forgets all wake-ups that wait. */
  async flush(): Promise<void> {
    const { end: queue } = await this.open();
    await calls().run(() => queue.drain(true));
  }

  /** Removes what names the key: wake-ups, also failed ones, and traces of those that are done. One that runs is let finish. */
  async forget(key: string): Promise<void> {
    const { end: queue } = await this.open();
    const { backend, name } = this.options;
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const [from, to] = [page * JOBS_PER_PAGE, (page + 1) * JOBS_PER_PAGE - 1];
      const jobs = await calls().run(() => queue.getJobs(['waiting', 'delayed', 'failed'], from, to));
      const named = jobs.filter(({ data }) => data.key === key);
      await calls().run(() => Promise.all(named.map((job) => job.remove())));
      if (jobs.length === 0) break;
    }
    await calls().run(() => emptyJournal(backend, name, queue));
  }

  /** Takes no more wake-ups and waits for the ones that run. */
  async stopWorking(): Promise<void> {
    this.stopping.abort();
    await this.working;
  }

  /** Stops working and closes all connections; gives up waiting for a backend that is away. */
  async close(): Promise<void> {
    await this.stopWorking();
    const opened = await this.opening?.catch(() => undefined); // Reported where it was opened.
    if (opened) await this.closeBoth(opened, opened.end.close());
  }

  /** Waits for the end to close, but not for a server that is away, and ends the connections. */
  private async closeBoth({ release }: Opened<unknown>, closing: Promise<void>): Promise<void> {
    const { name } = this.options;
    try {
      await answered(closing, name);
    } catch (error) {
      this.report(error, 'closing');
      release();
      // What has waited for the server fails now, and with it end the timers around it.
      await answered(closing, name).catch(() => {}); // Reported already.
    } finally {
      release();
    }
  }

  /** The queue, once it is ready. BullMQ remembers a first connection that failed, so each failure needs another queue. */
  private async open(): Promise<Opened<OpenQueue>> {
    this.opening ??= this.openOnce();
    try {
      return await this.opening;
    } catch (error) {
      this.opening = undefined;
      throw error;
    }
  }

  private async openOnce(): Promise<Opened<OpenQueue>> {
    const { backend, name } = this.options;
    await answered(prepareBackend(backend, CALL_TIMEOUT_MS), name);
    const report = (error: Error): void => this.report(error, 'queue');
    const opened = openQueue(backend, name, CALL_TIMEOUT_MS, report);
    opened.end.on('error', report);
    try {
      await answered(opened.end.waitUntilReady(), name);
      return opened;
    } catch (error) {
      void this.closeBoth(opened, opened.end.close());
      throw error;
    }
  }

  private async keepWorking(handler: (key: string) => Promise<void>, concurrency: number): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        await answered(prepareBackend(this.options.backend, CALL_TIMEOUT_MS), this.options.name);
        await this.workUntilBroken(handler, concurrency);
      } catch (error) {
        this.report(error, 'worker');
      }
      await sleep(REOPEN_DELAY_MS, undefined, { signal: this.stopping.signal }).catch(() => {}); // Stopped.
    }
  }

  private async workUntilBroken(handler: (key: string) => Promise<void>, concurrency: number): Promise<void> {
    // A stop that came while the backend was prepared: nothing would tell the listener below of it.
    if (this.stopping.signal.aborted) return;
    const { backend, name } = this.options;
    const pace = { concurrency, lockDuration: LOCK_MS, stalledInterval: STALLED_CHECK_MS };
    const opened = openWorker(
      backend,
      name,
      (key) => this.noted(handler(key)),
      { ...pace, runRetryDelay: REOPEN_DELAY_MS, autorun: false },
      (error) => this.report(error, 'worker'),
    );
    const { end: worker } = opened;
    const ended = Promise.withResolvers<'stopped' | 'broken'>();
    const onStop = (): void => ended.resolve('stopped');
    this.stopping.signal.addEventListener('abort', onStop, { once: true });
    const errorTimes: number[] = [];
    worker.on('error', (error) => {
      if (errorTimes.length < ERRORS_MAX) this.report(error, 'worker');
      errorTimes.push(Date.now());
      if (errorTimes.length > ERRORS_MAX) errorTimes.shift();
      if (errorTimes.length === ERRORS_MAX && Date.now() - (errorTimes[0] ?? 0) < 1_000)
        ended.resolve('broken');
    });
    worker.on('failed', (_job, error) => this.report(error, 'wake-up'));
    let force = true;
    try {
      await Promise.race([worker.waitUntilReady(), ended.promise]);
      if (!this.stopping.signal.aborted) void worker.run().catch(() => ended.resolve('broken'));
      force = (await ended.promise) === 'broken';
    } finally {
      this.stopping.signal.removeEventListener('abort', onStop);
      await this.closeWorker(opened, force);
    }
  }

  /** Ends a worker: no wake-up is taken any more; those that run end first, unless it is broken. */
  private async closeWorker(opened: Opened<OpenWorker>, force: boolean): Promise<void> {
    const closing = opened.end.close(force);
    // BullMQ waits for them as well, but then to tell the server, which may be gone.
    if (!force) await Promise.allSettled(this.running);
    await this.closeBoth(opened, closing);
  }

  private async noted(work: Promise<void>): Promise<void> {
    this.running.add(work);
    try {
      await work;
    } finally {
      this.running.delete(work);
    }
  }

  private report(error: unknown, doing: string): void {
    this.options.report(error, `${doing} of ${this.options.name}`);
  }
}

let policy: QuickPolicy | undefined;

/** One for all queues of a process: they are in one place. Made when it is first needed, behind the configuration of policies. */
function calls(): QuickPolicy {
  return (policy ??= new QuickPolicy('queues'));
}

/** What the call answers, or an error when it does not within a second. The call itself goes on. */
async function answered<T>(call: Promise<T>, name: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`queue ${name} did not answer in time`)), CALL_TIMEOUT_MS);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}
