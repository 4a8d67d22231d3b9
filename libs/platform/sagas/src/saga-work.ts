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
  advanceSaga,
  awaitDue,
  type Awaited,
  findAwaited,
  findHeldSaga,
  intendCall,
  postponeSaga,
  retreatSaga,
  SagaMovedOn,
  type SagaRow,
  setResult,
  stopSaga,
  turnBack,
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
    const tenantId = step.tenant?.(held.row.input as never) ?? held.tenantId;
    if (tenantId !== held.tenantId)
      return this.done(held, step, await this.participate(held, step, tenantId));
    return this.local(held, step);
  }

  /** Compensates the step that comes next on the way back. */
  async compensate(held: HeldSaga, step: SagaStep): Promise<Moved> {
    const { saga, tenantId, row } = held;
    const ctx = { ...contextOf(held, step), result: row.results[step.name] };
    const other = step.tenant?.(row.input as never) ?? tenantId;
    if (step.cancel) {
      await this.transaction(saga, tenantId, row, (tx) => intendCall(tx, row, true));
      await step.cancel({ ...ctx, signal: signalOf(step) } as never);
    } else if (other !== tenantId) await this.withdraw(held, step, other).catch(ignoreClosed);
    const isLocal = !step.cancel && other === tenantId;
    const place = compensatedBefore(saga, row.place);
    await this.transaction(saga, tenantId, row, async (tx) => {
      const compensate = async (): Promise<void> => {
        if (isLocal) await step.compensate?.(tx, ctx as never);
      };
      await guarded(retreatSaga(tx, row, place), compensate);
      const events = [event(row, 1n, sagaStepCompensated, { step: step.name, place })];
      if (place < 0) events.push(event(row, 2n, sagaCompensated, {}));
      await tx.announce(...events);
    });
    return place < 0 ? ended(saga, 'compensated') : moved(row, { place, intended: false });
  }

  /** Gives it up, to compensate what was done. `isKnown`: the step under way has refused, and a call of it has no effect. */
  async turnBack({ saga, tenantId, row }: HeldSaga, reason: string): Promise<Moved> {
    const place = turningPoint(saga, row);
    const intended = place === row.place && row.intended;
    await this.transaction(saga, tenantId, row, async (tx) => {
      await turnBack(tx, row, { place, reason, intended });
      const events = [event(row, 1n, sagaCompensationBegun, { code: reason, place })];
      if (place < 0) events.push(event(row, 2n, sagaCompensated, {}));
      await tx.announce(...events);
    });
    return place < 0 ? undefined : moved(row, { place, intended, backward: true, state: 'compensating' });
  }

  /** Gives the lease back for a while. */
  async postpone(
    { saga, tenantId, row }: HeldSaga,
    after: { readonly failures: 0 | 1; readonly error?: string; readonly seconds: number },
  ): Promise<void> {
    await this.transaction(saga, tenantId, row, (tx) => postponeSaga(tx, row, after));
  }

  /** Leaves it to an operator. */
  async stop({ saga, tenantId, row }: HeldSaga, step: string, reason: string): Promise<void> {
    await this.transaction(saga, tenantId, row, async (tx) => {
      await stopSaga(tx, row, reason);
      await tx.announce(event(row, 1n, sagaOperatorNeeded, { step, code: reason }));
    });
    ended(saga, 'needs_operator');
  }

  /** A step of the saga's own tenant: the row goes on, and the work is done, in one transaction. */
  private async local(held: HeldSaga, step: SagaStep): Promise<Moved> {
    const { saga, tenantId, row } = held;
    const ctx = contextOf(held, step);
    const result = await this.transaction(saga, tenantId, row, async (tx) => {
      const marked = advanceSaga(tx, row, advanceOf(held, {}));
      const answer = await guarded(marked, async () => step.run?.(tx, ctx as never));
      if (answer !== undefined && answer !== null) await setResult(tx, row.id, { [step.name]: answer });
      await tx.announce(...completionOf(held, step));
      return answer ?? null;
    });
    return advanced(held, step, result);
  }

  /** The record of a step that was done elsewhere, under its key. */
  private async done(held: HeldSaga, step: SagaStep, result: unknown): Promise<Moved> {
    const { saga, tenantId, row } = held;
    await this.transaction(saga, tenantId, row, async (tx) => {
      await advanceSaga(tx, row, advanceOf(held, { [step.name]: result ?? null }, step));
      await tx.announce(...completionOf(held, step));
    });
    return advanced(held, step, result ?? null);
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

/** What was done elsewhere is done, and is marked so though it is late. */
function advanceOf(
  { saga, row }: HeldSaga,
  results: Readonly<Record<string, unknown>>,
  doneElsewhere?: SagaStep,
): Parameters<typeof advanceSaga>[2] {
  const next = saga.steps[row.place + 1];
  return {
    ...{ ends: next === undefined, timeoutSeconds: next?.timeoutSeconds, results },
    isCommitted: doneElsewhere !== undefined || !canTurnBack(saga, row),
  };
}

function completionOf({ saga, row }: HeldSaga, { name }: SagaStep): Announcement[] {
  const place = row.place + 1;
  const completed = event(row, 1n, sagaStepCompleted, { step: name, place });
  return place < saga.steps.length ? [completed] : [completed, event(row, 2n, sagaCompleted, {})];
}

function event(
  { id, version }: SagaRow,
  behind: bigint,
  type: Parameters<typeof announcement>[0],
  payload: object,
): Announcement {
  return announcement(type, { id, version: version + behind }, payload);
}

function advanced({ saga, row }: HeldSaga, { name }: SagaStep, result: unknown): Moved {
  const place = row.place + 1;
  if (place === saga.steps.length) return ended(saga, 'completed');
  return moved(row, { place, intended: false, results: { ...row.results, [name]: result } });
}

function ended({ name: saga }: Saga, state: 'completed' | 'compensated' | 'needs_operator'): undefined {
  sagasEndedTotal.inc({ saga, state });
}

function moved(row: SagaRow, changes: Partial<SagaRow>): SagaRow {
  return { ...row, attempts: 0, isStepLate: false, version: row.version + 1n, ...changes };
}

/**
 * Does the work beside the statement that decides whether it may be done: they cross the network together. Where it may not, the
 * transaction fails with that, whatever the work has come to.
 */
async function guarded<T>(marked: Promise<void>, work: () => Promise<T>): Promise<T> {
  const [mark, outcome] = await Promise.allSettled([marked, work()]);
  if (mark.status === 'rejected') throw mark.reason;
  if (outcome.status === 'rejected') throw outcome.reason;
  return outcome.value;
}
