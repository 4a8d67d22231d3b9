import { deterministicId } from '@holdfast/kernel';
import {
  type Announcement,
  announcement,
  callerOf,
  type Grants,
  TenantClosed,
  type TenantDatabase,
  type TenantTx,
} from '@holdfast/tenancy';
import {
  claimParticipation,
  markParticipationCompensated,
  type ParticipationKey,
  setParticipationResult,
} from './participations.sql';
import type { AwaitedEvent, Saga, SagaStep, StepContext } from './saga';
import { canTurnBack, compensatedBefore, turningPoint } from './saga-moves';
import { sagasEndedTotal } from './sagas-metrics';
import {
  participationCancelled,
  participationCompensated,
  participationCompleted,
  sagaCompensated,
  sagaCompensationBegun,
  sagaCompleted,
  sagaOperatorNeeded,
  sagaStepCompensated,
  sagaStepCompleted,
} from './sagas.events';
import {
  awaitDue,
  type Awaited,
  findAwaited,
  findHeldSaga,
  intendCall,
  postponeSaga,
  moveSaga,
  type SagaChange,
  SagaMovedOn,
  type SagaRow,
} from './sagas.sql';

/** A saga in the hands of this process. */
export interface HeldSaga {
  readonly saga: Saga;
  readonly tenantId: string;
  readonly row: SagaRow;
}

/** What is left to do behind a move: the row as it is then, or undefined where the lease was given back or the saga has ended. */
export type Moved = SagaRow | undefined;

interface WorkOptions {
  readonly tenants: TenantDatabase;
  readonly grants: Grants;
}

/**
 * The work of one saga: each method is one move, and what it writes is one transaction of the tenant that began the saga, behind one of
 * another tenant or a call where the step is there. It may be killed between any two lines: who takes the saga up finds in the rows
 * what has happened, and does over, under the same key, what nobody knows of.
 */
export class SagaWork {
  constructor(private readonly options: WorkOptions) {}

  /** The row as it is, while the lease is held. */
  reload({ saga, tenantId, row }: HeldSaga): Promise<Moved> {
    return this.transaction(saga, tenantId, row, (tx) => findHeldSaga(tx, row.id, row.fence));
  }

  /** Does the step that comes next. Throws what it throws, and SagaMovedOn. */
  async step(held: HeldSaga, step: SagaStep): Promise<Moved> {
    if (step.until) return this.waitUntil(held, step.until(contextOf(held, step) as never));
    if (step.event) return this.waitFor(held, step, step.event);
    if (step.call) return this.called(held, step, step.call);
    const tenantId = ownerOf(held, step);
    if (tenantId !== held.tenantId)
      return this.done(held, step, await this.participate(held, step, tenantId));
    return this.commit(
      held,
      (result) => completed(held, step, result, false),
      async (tx) => step.run?.(tx, contextOf(held, step) as never),
    );
  }

  /** Compensates the step that comes next on the way back. */
  async compensate(held: HeldSaga, step: SagaStep): Promise<Moved> {
    const { saga, tenantId, row } = held;
    const other = ownerOf(held, step);
    if (step.cancel) {
      await this.transaction(saga, tenantId, row, (tx) => intendCall(tx, row, true));
      await step.cancel({ ...compensationContextOf(held, step), signal: signalOf(step) } as never);
    } else if (other !== tenantId) await this.withdraw(held, step, other).catch(ignoreClosed);
    return this.commit(held, compensated(held, step), compensationOf(held, step));
  }

  /** Gives it up. What is compensated first is compensated in the same transaction, where that is possible. */
  async turnBack(held: HeldSaga, reason: string): Promise<Moved> {
    const turned = turnedBack(held, reason);
    const back = { ...held, row: turned.next ?? held.row };
    const step = turned.next && held.saga.steps[turned.next.place];
    const compensate = step && compensationOf(back, step);
    if (!step || !compensate) return this.commit(held, turned);
    try {
      return await this.commit(held, both(turned, compensated(back, step)), compensate);
    } catch (error) {
      if (error instanceof SagaMovedOn) throw error;
      return this.commit(held, turned);
    }
  }

  /** Gives the lease back for a while. */
  async postpone(
    { saga, tenantId, row }: HeldSaga,
    after: { readonly failures: 0 | 1; readonly error?: string; readonly seconds: number },
  ): Promise<void> {
    await this.transaction(saga, tenantId, row, (tx) => postponeSaga(tx, row, after));
  }

  /** Leaves it to an operator. */
  async stop(held: HeldSaga, step: string, reason: string): Promise<void> {
    const { row } = held;
    await this.commit(held, {
      to: { state: 'needs_operator', intended: row.intended, reason, events: 1, isForced: true },
      announcements: [event(row, 1n, sagaOperatorNeeded, { step, code: reason })],
      next: undefined,
    });
  }

  /** Moves the row, behind the work that belongs to it, and tells of it, in one transaction. */
  private async commit(
    held: HeldSaga,
    progress: Progress | ((result: unknown) => Progress),
    work?: (tx: TenantTx) => Promise<unknown>,
  ): Promise<Moved> {
    const { saga, tenantId, row } = held;
    const { to, next } = await this.transaction(saga, tenantId, row, async (tx) => {
      const result = await work?.(tx);
      const made = typeof progress === 'function' ? progress(result) : progress;
      await Promise.all([moveSaga(tx, row, made.to), tx.announce(...made.announcements)]);
      return made;
    });
    const { state } = to;
    if (state === 'completed' || state === 'compensated' || state === 'needs_operator')
      sagasEndedTotal.inc({ saga: saga.name, state });
    return next;
  }

  /** The record of a step that was done elsewhere, under its key. */
  private done(held: HeldSaga, step: SagaStep, result: unknown): Promise<Moved> {
    return this.commit(held, completed(held, step, result, true));
  }

  private async called(held: HeldSaga, step: SagaStep, call: NonNullable<SagaStep['call']>): Promise<Moved> {
    const { saga, tenantId, row } = held;
    const isCommitted = !canTurnBack(saga, row);
    await this.transaction(saga, tenantId, row, (tx) => intendCall(tx, row, isCommitted));
    const result = await call({ ...contextOf(held, step), signal: signalOf(step) } as never);
    return this.done({ ...held, row: { ...row, intended: true } }, step, result);
  }

  /** A step in another tenant, once: whoever comes second is told what came of it. */
  private async participate(held: HeldSaga, step: SagaStep, tenantId: string): Promise<unknown> {
    const key = participationOf(held, step);
    return this.transaction(held.saga, tenantId, held.row, async (tx) => {
      const known = await claimParticipation(tx, key, 'completed');
      if (known?.state === 'completed') return known.result;
      if (known) throw new SagaMovedOn(`step ${step.name} of saga ${key.sagaId} was given up`);
      const result = await step.run?.(tx, contextOf(held, step) as never);
      if (result !== undefined && result !== null) await setParticipationResult(tx, key.id, result);
      await tx.announce(
        announcement(participationCompleted, { id: key.id, version: 1n }, { step: step.name }),
      );
      return result;
    });
  }

  /** Takes back what a step has done in another tenant; where it has done nothing yet, it never will. */
  private async withdraw(held: HeldSaga, step: SagaStep, tenantId: string): Promise<void> {
    const key = participationOf(held, step);
    const name = { step: step.name };
    await this.transaction(held.saga, tenantId, held.row, async (tx) => {
      const known = await claimParticipation(tx, key, 'cancelled');
      if (!known) return tx.announce(announcement(participationCancelled, { id: key.id, version: 1n }, name));
      if (known.state !== 'completed') return;
      await markParticipationCompensated(tx, key.id);
      await step.compensate?.(tx, { ...contextOf(held, step), result: known.result ?? undefined } as never);
      await tx.announce(
        announcement(participationCompensated, { id: key.id, version: known.version + 1n }, name),
      );
    });
  }

  private async waitUntil(held: HeldSaga, until: Date): Promise<Moved> {
    const { saga, tenantId, row } = held;
    const step = saga.steps[row.place];
    if (step && until.getTime() <= row.nowMs) return this.done(held, step, null);
    const isCommitted = !canTurnBack(saga, row);
    await this.transaction(saga, tenantId, row, (tx) => awaitDue(tx, row, { dueAt: until, isCommitted }));
    return undefined;
  }

  private async waitFor(
    held: HeldSaga,
    step: SagaStep,
    { event: { type, streamType }, streamId }: AwaitedEvent<never, never>,
  ): Promise<Moved> {
    const { saga, tenantId, row } = held;
    const awaited: Awaited = { type, streamType, streamId: streamId(contextOf(held, step) as never) };
    const found = await this.transaction(saga, tenantId, row, (tx) => findAwaited(tx, awaited));
    if (found) return this.done(held, step, found.data);
    const isCommitted = !canTurnBack(saga, row);
    if (row.isStepLate) {
      await this.stop(held, step.name, 'sagas.timed_out');
      return undefined;
    }
    await this.transaction(saga, tenantId, row, (tx) => awaitDue(tx, row, { awaited, isCommitted }));
    return undefined;
  }

  /** In the name of the saga's module, and told apart by who began it: events carry that request's correlation id. */
  private async transaction<T>(
    { consumer }: Saga,
    tenantId: string,
    { correlationId, traceparent }: SagaRow,
    work: (tx: TenantTx) => Promise<T>,
  ): Promise<T> {
    const grant = await this.options.grants.forSystem(consumer, tenantId);
    const caller = callerOf(grant, {
      requestId: correlationId,
      ...(traceparent !== null && { traceparent }),
    });
    return this.options.tenants.transaction(caller, work);
  }
}

/** What was done in a tenant that is erased is gone with it. */
function ignoreClosed(error: unknown): void {
  if (!(error instanceof TenantClosed)) throw error;
}

/** The id of a step: of what it makes, and of its record in another tenant. */
export function stepKey(sagaId: string, step: string): string {
  return deterministicId('saga step', sagaId, step);
}

function contextOf({ tenantId, row }: HeldSaga, step: SagaStep): StepContext {
  const { id: sagaId, input, results } = row;
  return { sagaId, tenantId, input, results, key: stepKey(sagaId, step.name) };
}

function participationOf({ saga, row }: HeldSaga, step: SagaStep): ParticipationKey {
  return { id: stepKey(row.id, step.name), sagaId: row.id, name: saga.name, step: step.name };
}

function signalOf({ callSeconds }: SagaStep): AbortSignal {
  return AbortSignal.timeout(callSeconds * 1_000);
}

/** What is written of a move, and the row behind it; without one the saga has ended or stopped. */
interface Progress {
  readonly to: SagaChange;
  readonly announcements: readonly Announcement[];
  readonly next: Moved;
}

/** Behind a step. What was done elsewhere is done, and is marked so though it is late. */
function completed(held: HeldSaga, { name }: SagaStep, result: unknown, isElsewhere: boolean): Progress {
  const { saga, row } = held;
  const place = row.place + 1;
  const next = saga.steps[place];
  const results = { [name]: result ?? null };
  const announcements = [event(row, 1n, sagaStepCompleted, { step: name, place })];
  if (!next) announcements.push(event(row, 2n, sagaCompleted, {}));
  return progressOf(row, announcements, {
    ...{ place, results, intended: false, isForced: isElsewhere || !canTurnBack(saga, row) },
    ...(next ? { timeoutSeconds: next.timeoutSeconds } : { state: 'completed' }),
  });
}

/** Behind a compensation. */
function compensated({ saga, row }: HeldSaga, { name }: SagaStep): Progress {
  const place = compensatedBefore(saga, row.place);
  const announcements = [event(row, 1n, sagaStepCompensated, { step: name, place })];
  if (place < 0) announcements.push(event(row, 2n, sagaCompensated, {}));
  const state = place < 0 ? 'compensated' : 'compensating';
  return progressOf(row, announcements, { state, place, intended: false, isForced: true });
}

/** On its way back. */
function turnedBack({ saga, row }: HeldSaga, reason: string): Progress {
  const place = turningPoint(saga, row);
  const announcements = [event(row, 1n, sagaCompensationBegun, { code: reason, place })];
  if (place < 0) announcements.push(event(row, 2n, sagaCompensated, {}));
  const state = place < 0 ? 'compensated' : 'compensating';
  const intended = place === row.place && row.intended;
  return progressOf(row, announcements, { state, place, intended, reason, backward: true, isForced: true });
}

/** Two moves as one. */
function both(first: Progress, second: Progress): Progress {
  const { next } = second;
  const announcements = [...first.announcements, ...second.announcements];
  return { to: { ...first.to, ...second.to, events: announcements.length }, announcements, next };
}

function progressOf(
  row: SagaRow,
  announcements: readonly Announcement[],
  to: Omit<SagaChange, 'events'>,
): Progress {
  const { state = row.state, place = row.place, backward = row.backward, intended } = to;
  const isOver = state === 'completed' || state === 'compensated';
  const next: SagaRow = {
    ...row,
    ...{ state, place, backward, intended, attempts: 0, isStepLate: false },
    results: { ...row.results, ...to.results },
    version: row.version + BigInt(announcements.length),
  };
  return { to: { ...to, events: announcements.length }, announcements, next: isOver ? undefined : next };
}

/** Whose step it is. */
function ownerOf({ tenantId, row }: HeldSaga, { tenant }: SagaStep): string {
  return tenant?.(row.input as never) ?? tenantId;
}

function compensationContextOf(held: HeldSaga, step: SagaStep): StepContext & { readonly result: unknown } {
  return { ...contextOf(held, step), result: held.row.results[step.name] ?? undefined };
}

/** What takes the step back in the saga's own transaction; undefined where that is done elsewhere. */
function compensationOf(held: HeldSaga, step: SagaStep): ((tx: TenantTx) => Promise<void>) | undefined {
  const { compensate } = step;
  if (!compensate || ownerOf(held, step) !== held.tenantId) return undefined;
  return (tx) => compensate(tx, compensationContextOf(held, step) as never);
}

function event(
  { id, version }: SagaRow,
  behind: bigint,
  type: Parameters<typeof announcement>[0],
  payload: object,
): Announcement {
  return announcement(type, { id, version: version + behind }, payload);
}
