import { setTimeout as sleep } from 'node:timers/promises';
import { Deadline, JOB_TRANSACTION_MS, newId } from '@holdfast/kernel';
import { Database, SystemTx } from '@holdfast/database';
import type { Report } from '@holdfast/events';
import { callerOf, type Grants, TenantClosed, type TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import {
  advanceTask,
  claimTask,
  deleteTask,
  type DueTask,
  type HeldTask,
  listDueTasks,
  noteTaskFailure,
  postponeTask,
  renewTask,
  type TaskKind,
} from './tasks.sql';

/** What comes after a step: the next one with this progress, at once or after a while; or nothing. */
export type Outcome<Progress> =
  { readonly progress: Progress; readonly waitSeconds?: number } | { readonly done: true };

/** A task in the hands of this process. */
export interface TaskRun<Progress> {
  readonly tenantId: string;
  readonly id: string;
  /** How far the task had got when this step began. */
  readonly progress: Progress;
  /** Reads in a transaction of the tenant, and renews the lease. */
  read<T>(work: (tx: TenantTx) => Promise<T>): Promise<T>;
  /**
   * Does a step's work and stores how far it got in one transaction of the tenant. Throws LeaseLost when the task has gone
   * to another process meanwhile: nothing of the work was done then.
   */
  commit(work: (tx: TenantTx, progress: Progress) => Promise<Outcome<Progress>>): Promise<void>;
}

/** How a kind of task is done: in steps, each of which may be done again after a failure. */
export interface TaskKindOfWork<Progress> {
  readonly kind: TaskKind;
  /** Names the actor `system:<consumer>`. */
  readonly consumer: string;
  step(run: TaskRun<Progress>): Promise<void>;
  /** After so many failures in a row the task is given up, by `abandon`; without it, it is tried for ever. */
  readonly attemptsMax?: number;
  abandon?(tx: TenantTx, id: string): Promise<void>;
}

/** The task is in other hands: it took this process longer than the lease to come back. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

/** What a runner needs of its process. */
export interface TaskRunnerOptions {
  readonly tenants: TenantDatabase;
  readonly relay: Database;
  readonly grants: Grants;
  readonly kinds: readonly TaskKindOfWork<never>[];
  readonly report: Report;
}

/** Longer than any step: a transaction ends after 30 s, and a store is waited for no longer. */
const LEASE_SECONDS = 90;
const POLL_INTERVAL_MS = 1_000;
/** Tasks that a process works on at a time, and those that it looks at: some are in other hands before it comes to them. */
const LANES = 4;
const DUE_MAX = 50;
/** A task is put back after so many steps, so that a large tenant does not keep the others waiting. */
const STEPS_PER_TURN = 100;

/** Works on the tasks of all tenants. Any number of processes may: the lease in a task's row decides whose it is. */
export class TaskRunner {
  private readonly holder = newId();
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly options: TaskRunnerOptions) {}

  /** Begins to look for tasks. */
  start(): void {
    this.running = this.loop();
  }

  /** Begins no further step and waits for those under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Works once on each task that is due, and answers on how many that was: those that others have taken are not among them. */
  async runDue(): Promise<number> {
    const due = await this.options.relay.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => listDueTasks(tx, DUE_MAX),
    );
    let worked = 0;
    const lane = async (): Promise<void> => {
      for (let task = due.shift(); task && !this.stopping.signal.aborted; task = due.shift())
        worked += (await this.work(task)) ? 1 : 0;
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    return worked;
  }

  private async loop(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const found = await this.runDue().catch((error: unknown) => {
        this.options.report(error, 'looking for tasks of tenants');
        return 0;
      });
      // Stopped while waiting.
      if (found === 0) await sleep(POLL_INTERVAL_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** Takes one turn at a task, if it is to be had. Failures are noted in its row and never thrown. */
  private async work(due: DueTask): Promise<boolean> {
    const kind = this.options.kinds.find((each) => each.kind === due.kind);
    if (!kind) return false;
    const task = { ...due, holder: this.holder };
    try {
      if (!(await this.transaction(kind, task, (tx) => claimTask(tx, task, LEASE_SECONDS)))) return false;
      await this.takeSteps(kind, task);
    } catch (error) {
      // Its tenant is being erased, and the task with it.
      if (error instanceof TenantClosed) return false;
      this.options.report(error, `a step of ${due.kind} ${due.id}`);
      if (!(error instanceof LeaseLost)) await this.noteFailure(kind, task, error);
    }
    return true;
  }

  private async takeSteps(kind: TaskKindOfWork<never>, task: HeldTask): Promise<void> {
    let goesOn = true;
    for (let steps = 0; goesOn && steps < STEPS_PER_TURN && !this.stopping.signal.aborted; steps += 1) {
      goesOn = false;
      const begun = await this.transaction(kind, task, (tx) => this.renewed(tx, task));
      await kind.step({
        tenantId: task.tenantId,
        id: task.id,
        progress: begun.progress as never,
        read: (work) =>
          this.transaction(kind, task, async (tx) => {
            await this.renewed(tx, task);
            return work(tx);
          }),
        commit: async (work) => {
          goesOn = await this.transaction(kind, task, (tx) => this.commit(tx, task, work));
        },
      });
    }
    if (goesOn) await this.transaction(kind, task, (tx) => postponeTask(tx, task, 0));
  }

  private async commit(
    tx: TenantTx,
    task: HeldTask,
    work: (tx: TenantTx, progress: never) => Promise<Outcome<unknown>>,
  ): Promise<boolean> {
    const held = await this.renewed(tx, task);
    const outcome = await work(tx, held.progress as never);
    if ('done' in outcome) {
      await deleteTask(tx, task.kind, task.id);
      return false;
    }
    await advanceTask(tx, task, outcome.progress);
    if (outcome.waitSeconds === undefined) return true;
    await postponeTask(tx, task, outcome.waitSeconds);
    return false;
  }

  private async renewed(tx: TenantTx, task: HeldTask): Promise<{ readonly progress: unknown }> {
    const held = await renewTask(tx, task, LEASE_SECONDS);
    if (!held) throw new LeaseLost(`${task.kind} ${task.id} is in other hands`);
    return held;
  }

  private async noteFailure(kind: TaskKindOfWork<never>, task: HeldTask, failure: unknown): Promise<void> {
    const { attemptsMax = Number.POSITIVE_INFINITY } = kind;
    try {
      await this.transaction(kind, task, async (tx) => {
        const reason = failure instanceof Error ? failure.name : 'Error';
        const attempts = await noteTaskFailure(tx, task, reason, Math.random());
        if (attempts < attemptsMax || !kind.abandon) return;
        await kind.abandon(tx, task.id);
        await deleteTask(tx, task.kind, task.id);
      });
    } catch (error) {
      // The database is away: the lease ends by itself, and somebody takes the task up again.
      this.options.report(error, `noting a failure of ${task.kind} ${task.id}`);
    }
  }

  private async transaction<T>(
    { consumer }: TaskKindOfWork<never>,
    { tenantId, id }: DueTask,
    work: (tx: TenantTx) => Promise<T>,
  ): Promise<T> {
    const grant = await this.options.grants.forSystem(consumer, tenantId);
    const deadline = Deadline.in(JOB_TRANSACTION_MS);
    const caller = callerOf(grant, { requestId: id, deadline });
    return this.options.tenants.transaction(caller, work);
  }
}
