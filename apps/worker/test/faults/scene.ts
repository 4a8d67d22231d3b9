import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, type TestDatabase } from '@holdfast/testing';
import { Writers, type WritersOptions } from './journal';
import { type Sources, untilSound } from './oracle';
import type { QueueKind, Stage } from './stage';
import { type WorkerOptions, WorkerProcess } from './worker-process';

/** How soon a worker that died is started again: what a supervisor takes at least. */
const RESTART_MS = 300;

/** One run: a database, writers with a journal, and workers that are started again when they die. */
export class Scene {
  /** Every worker that there has been, oldest first. */
  readonly workers: WorkerProcess[] = [];
  private supervising = false;
  private readonly starting: Promise<void>[] = [];
  /** The file of the group `copies`. */
  private readonly copies: string;

  private constructor(
    readonly stage: Stage,
    readonly database: TestDatabase,
    readonly writers: Writers,
    readonly queues: QueueKind,
  ) {
    this.copies = stage.file(database.name);
  }

  static async open(stage: Stage, queues: QueueKind, writing: WritersOptions): Promise<Scene> {
    const database = await stage.database();
    return new Scene(stage, database, await Writers.prepare(database, writing), queues);
  }

  /** Workers that live, stopped ones included. */
  get alive(): readonly WorkerProcess[] {
    return this.workers.filter(({ isGone }) => !isGone);
  }

  /** What workers have done to themselves. */
  get faults(): readonly string[] {
    return this.workers.flatMap(({ faults }) => faults);
  }

  /** What all workers have printed. */
  get output(): string {
    return this.workers.map(({ output }) => output).join('\n');
  }

  /** Starts a worker and waits until it is ready, or gone. */
  async start(options: WorkerOptions = {}): Promise<WorkerProcess> {
    const environment = this.stage.environment(this.database, this.queues);
    const worker = new WorkerProcess(environment, await freePort(), { ...options, copies: this.copies });
    this.workers.push(worker);
    void worker.gone.then(() => this.replace(options));
    await worker.ready();
    return worker;
  }

  private get sources(): Sources {
    const { database, copies } = this;
    return { database, copies, telemetry: this.stage.telemetry, journal: this.writers.journal };
  }

  /** From here on a worker that dies is started again, without faults. */
  supervise(): void {
    this.supervising = true;
  }

  /** The worker that leads, once there is one. */
  async leader(withinMs = 15_000): Promise<WorkerProcess> {
    for (const deadline = Date.now() + withinMs; Date.now() < deadline; await sleep(50)) {
      for (const worker of this.alive) if (!worker.isStopped && (await worker.isLeading())) return worker;
    }
    throw new Error(`no worker leads:\n${this.output}`);
  }

  /** How many holders the lease has had. */
  async fence(): Promise<bigint> {
    const [lease] = await this.database.admin<{ fence: string }>(
      "select fence::text from events.leases where name = 'sequencer'",
    );
    return BigInt(lease?.fence ?? 0);
  }

  /** Where the groups stand, for a reader who asks why they do not go on. */
  async cursors(): Promise<string> {
    const rows = await this.database
      .admin(
        `select 'cursor' as what, group_name, tenant_id::text, from_tick || '/' || coalesce(to_tick::text, '') || '/' || after_seq as at,
           attempts, retry_at, last_error from events.tenant_cursors
         union all
         select state, group_name, tenant_id::text, key, attempts, retry_at, last_error from events.parked_keys
         union all
         select 'store', group_name, '', from_tick || '/' || coalesce(to_tick::text, '') || '/' || after_seq, attempts, retry_at, last_error
         from events.store_cursors`,
      )
      .catch((error: unknown) => [error]); // Of interest only beside another failure.
    return rows.map((row) => JSON.stringify(row)).join('\n');
  }

  /** Ends the writing and waits until every effect is there once and in order; answers how long that took. */
  async settle(boundMs: number): Promise<number> {
    await this.writers.stop();
    return untilSound(this.sources, boundMs);
  }

  async close(): Promise<void> {
    this.supervising = false;
    await Promise.all(this.starting);
    await Promise.all(this.alive.map((worker) => worker.kill()));
    await this.writers.stop().catch(() => {}); // What failed before is what is reported.
    await this.database.drop();
  }

  private replace({ faults: _done, ...options }: WorkerOptions): void {
    if (!this.supervising) return;
    const starting = sleep(RESTART_MS).then(async () => {
      if (!this.supervising) return;
      // One that does not become ready is seen by what does not get delivered.
      await this.start(options).catch(() => {});
    });
    this.starting.push(starting);
  }
}
