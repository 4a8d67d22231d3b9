import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, fullJitterMs, newId } from '@holdfast/kernel';
import { type Database, isOutage, OutcomeUnknown, SystemTx } from '@holdfast/database';
import {
  type Announcement,
  announcement,
  callerOf,
  type Grants,
  TenantClosed,
  type TenantDatabase,
  type TenantTx,
} from '@holdfast/tenancy';
import { findSaga, listSagas, type Saga } from './saga';
import { SagaLanes } from './saga-lanes';
import { isRefusal, moveAfterFailure, nextMove, reasonOf, retrySeconds } from './saga-moves';
import type { HeldSaga, Moved } from './saga-progress';
import { SagaWork } from './saga-work';
import { sagaStepSeconds, showOpenSagas } from './sagas-metrics';
import { sagaStarted } from './sagas.events';
import {
  claimSaga,
  countOpenSagas,
  type DueSaga,
  insertSaga,
  listDueSagas,
  listMetSagas,
  type NewSaga,
  SagaMovedOn,
  type SagaRow,
} from './sagas.sql';

/** What a runner needs of its process. */
export interface SagaRunnerOptions {
  readonly tenants: TenantDatabase;
  readonly grants: Grants;
  /** Finds the work of all tenants. A process without it goes on only with the sagas that it has begun. */
  readonly relay?: Database;
  readonly report: (error: unknown, doing: string) => void;
  /** Sagas at work at a time: 64 where nothing is said. */
  readonly lanes?: number;
}

/** Where nothing was due: how soon a saga is taken up whose process died, behind its lease, or whose time has come. */
const POLL_MS = 500;
/** The same while a tenant has all the lanes that it gets: it may have more to do than these. */
const SHARE_POLL_MS = 100;
/** What is open is counted about every 15 s. */
const COUNT_ROUNDS = 30;
/** Of what is due, as many are looked at: some are in other hands before it comes to them. */
const DUE_MAX = 100;
const LANES = 64;
/** As long as a lease lasts; behind it the saga is anybody's. */
const LEASE_MS = 90_000;
/** How often is looked whether the database is back: within so much at first, and doubled up to this. */
const LOOK_AGAIN_MS = 100;
const LOOK_AGAIN_MS_MAX = 5_000;
/** Moves of a saga in a turn: more than any has steps there and back. */
const MOVES_MAX = 200;

/**
 * Runs sagas. The process that begins one goes on with it at once; what is left by one that died, or waits for its time, an event or
 * another attempt, is taken up by any process that has a relay. The lease in the row decides whose it is.
 */
export class SagaRunner {
  private readonly stopping = new AbortController();
  private readonly working = new Map<string, Promise<void>>();
  private readonly work: SagaWork;
  private polling: Promise<void> = Promise.resolve();
  private readonly lanes: SagaLanes;

  constructor(private readonly options: SagaRunnerOptions) {
    this.work = new SagaWork(options);
    this.lanes = new SagaLanes(this.lanesMax);
  }

  /** Begins to look for sagas of all tenants. */
  start(): void {
    const { relay } = this.options;
    if (relay) this.polling = this.poll(relay);
  }

  /** Takes up no more sagas and ends each of those under way behind its move. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.polling;
    await Promise.all(this.working.values());
  }

  /** Waits until this process does not work on the saga: it has ended, waits for something, or is somebody else's. */
  async whenIdle(id: string): Promise<void> {
    await this.working.get(id);
  }

  /** Waits until it works on nothing, and begins nothing more. */
  async stopWhenIdle(): Promise<void> {
    while (this.working.size > 0) await Promise.all(this.working.values());
    await this.stop();
  }

  /**
   * Begins a saga in the transaction of whatever it belongs to, and answers its id: it is there if that is committed. This process goes on
   * with it then, if it has a lane free. `id` makes it the only one of its kind; a second one of the id fails.
   */
  async begin<Input>(tx: TenantTx, saga: Saga<Input>, input: Input, id: string = newId()): Promise<string> {
    const begins = this.beginning(tx.tenantId, saga, input, id);
    await insertSaga(tx, begins.saga);
    await tx.announce(begins.announced);
    if (begins.saga.isHeld) {
      // It has its lane already.
      const giveBack = this.lanes.take(tx.tenantId);
      const held = heldBy(tx.caller, saga, begins.saga);
      tx.onEnd((isCommitted) => {
        giveBack();
        if (isCommitted) this.drive(held);
        else if (isCommitted === undefined) this.letGo(held);
      });
    }
    return id;
  }

  /**
   * The same where it belongs to nothing else: in a transaction of its own, which it shares with others of the tenant that begin or move at
   * that time. Answers the id once it is committed.
   */
  async beginFor<Input>(by: Caller, saga: Saga<Input>, input: Input, id: string = newId()): Promise<string> {
    const begins = this.beginning(by.tenantId, saga, input, id);
    const { isHeld } = begins.saga;
    const held = heldBy(by, saga, begins.saga);
    const giveBack = isHeld ? this.lanes.take(by.tenantId) : undefined;
    try {
      const row = await this.work.begin(held, { ...begins, by });
      if (isHeld && row) this.drive({ ...held, row });
    } catch (error) {
      if (isHeld && error instanceof OutcomeUnknown) this.letGo(held);
      throw error;
    } finally {
      giveBack?.();
    }
    return id;
  }

  /** Works on each saga that is due until nothing more is to be done at once; answers how many there were. */
  async runDue(): Promise<number> {
    const { relay } = this.options;
    if (!relay) return 0;
    const due = await this.listDue(relay);
    await Promise.all(due.map((each) => this.take(each)));
    return due.length;
  }

  private get lanesMax(): number {
    return this.options.lanes ?? LANES;
  }

  private beginning<Input>(
    tenantId: string,
    saga: Saga<Input>,
    input: Input,
    id: string,
  ): { readonly saga: NewSaga; readonly announced: Announcement } {
    const { name, hash, deadlineSeconds, steps } = saga;
    const isHeld = !this.stopping.signal.aborted && this.lanes.isFree(tenantId);
    const timeoutSeconds = steps[0]?.timeoutSeconds;
    return {
      saga: { id, name, hash, input: saga.input.parse(input), deadlineSeconds, timeoutSeconds, isHeld },
      announced: announcement(sagaStarted, { id, version: 1n }, { definition: name, hash }),
    };
  }

  private async poll(relay: Database): Promise<void> {
    const { signal } = this.stopping;
    for (let round = 0; !signal.aborted; round += 1) {
      if (round % COUNT_ROUNDS === 0) await this.countOpen(relay);
      const pauseMs = await this.pollOnce(relay).catch((error: unknown) => {
        this.options.report(error, 'looking for sagas of tenants');
        return POLL_MS;
      });
      // Full jitter keeps processes from looking at the same instant.
      if (pauseMs > 0) await sleep(pauseMs * (0.5 + Math.random()), undefined, { signal }).catch(() => {}); // Stopped.
    }
  }

  private async countOpen(relay: Database): Promise<void> {
    try {
      showOpenSagas(
        await relay.transaction(
          (connection) => new SystemTx(connection, 'read only'),
          (tx) => countOpenSagas(tx, listSagas()),
        ),
      );
    } catch (error) {
      this.options.report(error, 'counting open sagas');
    }
  }

  /** Takes up what is due, as far as there are lanes; answers for how long there is nothing more to be done. */
  private async pollOnce(relay: Database): Promise<number> {
    const due = await this.listDue(relay);
    let taken = 0;
    for (const each of due) {
      while (this.working.size >= this.lanesMax) await Promise.race(this.working.values());
      if (this.stopping.signal.aborted) break;
      // The lane of another tenant is of no use to it; it is found again.
      if (!this.lanes.isFree(each.tenantId)) continue;
      this.track(
        each,
        this.take(each).then((isTaken) => {
          taken += isTaken ? 1 : 0;
        }),
      );
    }
    if (due.length >= DUE_MAX && taken > 0) return 0;
    return this.lanes.tenantsAtShare.length > 0 ? SHARE_POLL_MS : POLL_MS;
  }

  private async listDue(relay: Database): Promise<DueSaga[]> {
    // What is of another release, which runs its own, or of a tenant that has all it gets, must not fill the list.
    const among = { sagas: listSagas(), exceptTenants: this.lanes.tenantsAtShare };
    return relay.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      async (tx) => [
        ...(await listDueSagas(tx, among, DUE_MAX)),
        ...(await listMetSagas(tx, among, DUE_MAX)),
      ],
    );
  }

  private async take(due: DueSaga): Promise<boolean> {
    const saga = findSaga(due.name, due.hash);
    if (!saga) return false;
    try {
      const row = await this.claim(saga, due);
      if (!row) return false;
      await this.run({ saga, tenantId: due.tenantId, row, sinceMs: performance.now() });
      return true;
    } catch (error) {
      if (!(error instanceof TenantClosed)) this.options.report(error, `taking up saga ${due.id}`);
      return false;
    }
  }

  private async claim(saga: Saga, { tenantId, id }: DueSaga): Promise<SagaRow | undefined> {
    const grant = await this.options.grants.forSystem(saga.consumer, tenantId);
    return this.options.tenants.transaction(callerOf(grant, { requestId: id }), (tx) => claimSaga(tx, id));
  }

  private drive(held: HeldSaga): void {
    this.track({ tenantId: held.tenantId, id: held.row.id }, this.run(held));
  }

  /** Of one of which nobody knows whether it has begun: if it is there, it is under a lease of this process. */
  private letGo(held: HeldSaga): void {
    this.track({ tenantId: held.tenantId, id: held.row.id }, this.outlast(held));
  }

  private track({ tenantId, id }: Pick<DueSaga, 'tenantId' | 'id'>, work: Promise<void>): void {
    const giveBack = this.lanes.take(tenantId);
    const tracked = work.finally(() => {
      giveBack();
      // A later one of the saga may be at work already.
      if (this.working.get(id) === tracked) this.working.delete(id);
    });
    this.working.set(id, tracked);
  }

  /** Moves it until it has ended, waits, or is somebody else's. Never throws: what fails is noted in its row, or found there by the next. */
  private async run(held: HeldSaga): Promise<void> {
    try {
      let row: Moved = held.row;
      for (let moves = 0; row && moves < MOVES_MAX; moves += 1) {
        const at: HeldSaga = { ...held, row, sinceMs: performance.now() };
        row = await (this.stopping.signal.aborted ? this.handBack(at) : this.move(at)).catch(
          (error: unknown) => {
            if (error instanceof SagaMovedOn) return this.work.reload(at);
            if (!isOutage(error)) throw error;
            this.options.report(error, `moving saga ${at.row.id} of ${at.saga.name}`);
            return this.outlast(at);
          },
        );
      }
    } catch (error) {
      if (!(error instanceof SagaMovedOn))
        this.options.report(error, `moving saga ${held.row.id} of ${held.saga.name}`);
    }
  }

  /**
   * An outage is no end of this process: the lease is given back once the database answers again, and need not run out first. Never throws:
   * where that fails as well, it runs out.
   */
  private async outlast(held: HeldSaga): Promise<undefined> {
    const { signal } = this.stopping;
    for (let attempt = 1; !signal.aborted && performance.now() - held.sinceMs < LEASE_MS; attempt += 1) {
      const pauseMs = fullJitterMs(attempt, LOOK_AGAIN_MS, LOOK_AGAIN_MS_MAX);
      await sleep(pauseMs, undefined, { signal }).catch(() => {}); // Stopped.
      try {
        // What was under way may have been done after all.
        const row = await this.work.reload(held);
        if (row) await this.handBack({ ...held, row });
        return;
      } catch (error) {
        if (isOutage(error)) continue;
        if (!(error instanceof SagaMovedOn)) this.options.report(error, `handing back saga ${held.row.id}`);
        return;
      }
    }
  }

  private handBack(held: HeldSaga): Promise<undefined> {
    return this.work.postpone(held, { failures: 0, seconds: 0 });
  }

  private async move(held: HeldSaga): Promise<Moved> {
    const next = nextMove(held.saga, held.row);
    if (next.move === 'turn_back') return this.work.turnBack(held, next.reason);
    if (next.move === 'stop') return this.work.stop(held, next.reason);
    try {
      return await (next.move === 'compensate'
        ? this.work.compensate(held, next.step)
        : this.work.step(held, next.step));
    } catch (error) {
      if (error instanceof SagaMovedOn) throw error;
      const outcome = isRefusal(error) ? 'refused' : 'failed';
      const of = { saga: held.saga.name, step: next.step.name, outcome };
      sagaStepSeconds.observe(of, (performance.now() - held.sinceMs) / 1_000);
      return await this.fail(held, error);
    }
  }

  private async fail(failed: HeldSaga, error: unknown): Promise<Moved> {
    // A call may have been noted since; of anything else the row is as it was, or whoever changed it is found out at the next change.
    const isRemote = failed.saga.steps[failed.row.place]?.does === 'remote';
    const row = isRemote ? await this.work.reload(failed) : failed.row;
    if (!row) return undefined;
    const held = { ...failed, row };
    const after = moveAfterFailure(held.saga, row, error);
    const { name = '' } = held.saga.steps[row.place] ?? {};
    this.options.report(error, `step ${name} of ${held.saga.name}`);
    if (after.move === 'turn_back') return this.work.turnBack(held, after.reason);
    if (after.move === 'stop') return this.work.stop(held, after.reason);
    const seconds = retrySeconds(after.attempt);
    return this.work.postpone(held, { failures: 1, error: reasonOf(error), seconds });
  }
}

/** The saga as its row was just written. */
function heldBy<Input>(caller: Caller, saga: Saga<Input>, { id, name, hash, input }: NewSaga): HeldSaga {
  const row: SagaRow = {
    ...{ id, name, hash, input, state: 'running', backward: false, place: 0, intended: false },
    ...{ results: {}, reason: null, attempts: 0, cancelRequested: false, isLate: false, isStepLate: false },
    ...{ startedMs: Date.now(), fence: 1n, version: 1n },
    ...{ correlationId: caller.requestId, traceparent: caller.traceparent ?? null },
  };
  return { saga: saga as unknown as Saga, tenantId: caller.tenantId, row, sinceMs: performance.now() };
}
