import { type Caller, Deadline, deterministicId, DomainError, JOB_TRANSACTION_MS } from '@holdfast/kernel';
import { isOutage } from '@holdfast/database';
import {
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
import type { AwaitedEvent, CompensationContext, RemoteContext, SagaStep, StepContext } from './saga';
import {
  type Beginning,
  SagaGroups,
  type SagaMoving,
  type SharedWork,
  type TurningBack,
} from './saga-groups';
import { canTurnBack, isRefusal, moveAfterFailure, TIMED_OUT } from './saga-moves';
import {
  begun,
  both,
  compensated,
  completed,
  type HeldSaga,
  type Moved,
  stopped,
  turnedBack,
} from './saga-progress';
import { countEnd, sagaStepSeconds } from './sagas-metrics';
import { ParticipantRefused } from './sagas.errors';
import { participationCancelled, participationCompensated, participationCompleted } from './sagas.events';
import {
  awaitDue,
  type Awaited,
  findAwaited,
  findHeldSaga,
  intendCall,
  postponeSaga,
  SagaMovedOn,
} from './sagas.sql';

interface WorkOptions {
  readonly tenants: TenantDatabase;
  readonly grants: Grants;
  /** Is told what a step has refused with. */
  readonly report: (error: unknown, doing: string) => void;
}

/**
 * The work of one saga: each method is one move, and what it writes is one transaction of the tenant that began the saga, behind one of
 * another tenant or a call where the step is there. It may be killed between any two lines: who takes the saga up finds in the rows
 * what has happened, and does over, under the same key, what nobody knows of.
 */
export class SagaWork {
  private readonly groups: SagaGroups;

  constructor(private readonly options: WorkOptions) {
    this.groups = new SagaGroups(options.tenants);
  }

  /** The row as it is, while the lease is held. */
  reload(held: HeldSaga): Promise<Moved> {
    const { row } = held;
    return this.transaction(held, (tx) => findHeldSaga(tx, row.id, row.fence));
  }

  /** Begins a saga in a transaction that others of the tenant share. */
  begin(held: HeldSaga, begins: Beginning): Promise<Moved> {
    return this.move(held, { progress: begun(held), work: undefined, begins });
  }

  /** Does the step that comes next. Throws what it throws, and SagaMovedOn. Where it shares a transaction, the saga may be turned back in that. */
  async step(held: HeldSaga, step: SagaStep): Promise<Moved> {
    if (step.until) return this.waitUntil(held, step, step.until(contextOf(held, step) as never));
    if (step.event) return this.waitFor(held, step, step.event);
    if (step.call) return this.called(held, step, step.call);
    const tenantId = ownerOf(held, step);
    if (tenantId !== held.tenantId)
      return this.done(held, step, await this.participate(held, step, tenantId));
    return this.move(held, steppingOf(held, step));
  }

  /** Compensates the step that comes next on the way back. */
  async compensate(held: HeldSaga, step: SagaStep): Promise<Moved> {
    const { tenantId, row } = held;
    const other = ownerOf(held, step);
    if (step.cancel) {
      await this.transaction(held, (tx) => intendCall(tx, row, true));
      const time = timeOf(step);
      await inTime(step.cancel({ ...compensationContextOf(held, step), ...time } as never), time);
    } else if (other !== tenantId) await this.withdraw(held, step, other).catch(ignoreErased);
    return this.move(held, { progress: compensated(held, step), work: compensationOf(held, step) });
  }

  /** Gives it up. What is compensated first is compensated in the same transaction, where that is possible. */
  async turnBack(held: HeldSaga, reason: string): Promise<Moved> {
    const back = turningBack(held, reason);
    // Where something has failed before, that may be the compensation: behind the turn its attempts are counted.
    if (!back.work || held.row.attempts > 0) return this.turn(held, reason);
    try {
      return await this.move(held, back);
    } catch (error) {
      if (error instanceof SagaMovedOn) throw error;
      return this.turn(held, reason);
    }
  }

  private turn(held: HeldSaga, reason: string): Promise<Moved> {
    return this.move(held, { progress: turnedBack(held, reason), work: undefined });
  }

  /** Gives the lease back for a while. */
  async postpone(
    held: HeldSaga,
    after: { readonly failures: 0 | 1; readonly error?: string; readonly seconds: number },
  ): Promise<undefined> {
    await this.transaction(held, (tx) => postponeSaga(tx, held.row, after));
  }

  /** Leaves it to an operator. */
  stop(held: HeldSaga, reason: string): Promise<Moved> {
    return this.move(held, { progress: stopped(held, reason), work: undefined });
  }

  /** Moves the row, behind the work that belongs to it, and tells of it, in one transaction. */
  private async move(held: HeldSaga, how: Omit<SagaMoving, 'caller' | 'row'>): Promise<Moved> {
    const { saga, row, sinceMs } = held;
    const caller = await this.callerFor(held);
    const made = await this.groups.commit({ caller, row, ...how });
    const seconds = (performance.now() - sinceMs) / 1_000;
    for (const { step, outcome, refusal } of made.did) {
      sagaStepSeconds.observe({ saga: saga.name, step, outcome }, seconds);
      if (outcome === 'refused') this.options.report(refusal, `step ${step} of ${saga.name}`);
    }
    countEnd(saga.name, made.to?.state, row.startedMs);
    return made.next;
  }

  /** The record of a step that was done elsewhere, under its key. */
  private done(held: HeldSaga, step: SagaStep, result: unknown): Promise<Moved> {
    return this.move(held, { progress: completed(held, step, result, true), work: undefined });
  }

  private async called(held: HeldSaga, step: SagaStep, call: NonNullable<SagaStep['call']>): Promise<Moved> {
    const { saga, row } = held;
    const isCommitted = !canTurnBack(saga, row);
    await this.transaction(held, (tx) => intendCall(tx, row, isCommitted));
    const time = timeOf(step);
    const result = await inTime(call({ ...contextOf(held, step), ...time } as never), time);
    try {
      return await this.done({ ...held, row: { ...row, intended: true } }, step, result);
    } catch (error) {
      // Whoever was called has done it: whatever refuses to record that does not say that it was refused.
      throw error instanceof DomainError && !isOutage(error) ? new CallNotRecorded(error) : error;
    }
  }

  /** A step in another tenant, once: whoever comes second is told what came of it. */
  private async participate(held: HeldSaga, step: SagaStep, tenantId: string): Promise<unknown> {
    const key = participationOf(held, step);
    const work = async (tx: TenantTx): Promise<unknown> => {
      const known = await claimParticipation(tx, key, 'completed');
      if (known?.isOfAnother) throw new ParticipantRefused();
      if (known?.state === 'completed') return known.result;
      if (known) throw new SagaMovedOn(`step ${step.name} of saga ${key.sagaId} was given up`);
      const result = await step.run?.(tx, contextOf(held, step) as never);
      if (result !== undefined && result !== null) await setParticipationResult(tx, key.id, result);
      await tx.announce(
        announcement(participationCompleted, { id: key.id, version: 1n }, { step: step.name }),
      );
      return result;
    };
    return this.transaction(held, work, tenantId).catch(refuseAsOne);
  }

  /** Takes back what a step has done in another tenant; where it has done nothing yet, it never will. */
  private async withdraw(held: HeldSaga, step: SagaStep, tenantId: string): Promise<void> {
    const key = participationOf(held, step);
    const name = { step: step.name };
    const work = async (tx: TenantTx): Promise<void> => {
      const known = await claimParticipation(tx, key, 'cancelled');
      if (!known) return tx.announce(announcement(participationCancelled, { id: key.id, version: 1n }, name));
      if (known.isOfAnother || known.state !== 'completed') return;
      await markParticipationCompensated(tx, key.id);
      await step.compensate?.(tx, {
        ...compensationContextOf(held, step),
        result: known.result ?? undefined,
      } as never);
      await tx.announce(
        announcement(participationCompensated, { id: key.id, version: known.version + 1n }, name),
      );
    };
    await this.transaction(held, work, tenantId);
  }

  private async waitUntil(held: HeldSaga, step: SagaStep, until: Date): Promise<Moved> {
    const { saga, row } = held;
    const isCommitted = !canTurnBack(saga, row);
    const isDue = await this.transaction(held, (tx) => awaitDue(tx, row, { dueAt: until, isCommitted }));
    return isDue ? this.done(held, step, null) : undefined;
  }

  private async waitFor(
    held: HeldSaga,
    step: SagaStep,
    { event: { type, streamType }, streamId }: AwaitedEvent<never, never>,
  ): Promise<Moved> {
    const { saga, row } = held;
    const awaited: Awaited = { type, streamType, streamId: streamId(contextOf(held, step) as never) };
    const found = await this.transaction(held, (tx) => findAwaited(tx, awaited));
    if (found) return this.done(held, step, found.data);
    const isCommitted = !canTurnBack(saga, row);
    if (row.isStepLate) return this.stop(held, TIMED_OUT);
    await this.transaction(held, (tx) => awaitDue(tx, row, { awaited, isCommitted }));
    return undefined;
  }

  /** One of the tenant that began the saga, or of another one. */
  private async transaction<T>(
    held: HeldSaga,
    work: (tx: TenantTx) => Promise<T>,
    tenantId = held.tenantId,
  ): Promise<T> {
    return this.options.tenants.transaction(await this.callerFor(held, tenantId), work);
  }

  /**
   * In the name of the saga's module, and told apart by who began it: events carry that request's correlation id. Another tenant is told
   * nothing of that request: its events carry the saga's id.
   */
  private async callerFor(
    { saga, tenantId: ownId, row: { id, correlationId, traceparent } }: HeldSaga,
    tenantId = ownId,
  ): Promise<Caller> {
    const isOwn = tenantId === ownId;
    const grant = await this.options.grants.forSystem(saga.consumer, tenantId);
    return callerOf(grant, {
      requestId: isOwn ? correlationId : id,
      deadline: Deadline.in(JOB_TRANSACTION_MS),
      ...(isOwn && traceparent !== null && { traceparent }),
    });
  }
}

/** A call was answered, and that could not be recorded. It is made again, under its key. */
class CallNotRecorded extends Error {
  override readonly name = 'CallNotRecorded';

  constructor(cause: Error) {
    super('the answer of a call could not be recorded', { cause });
  }
}

/** What was done in a tenant that is erased is gone with it. While it is being erased, what was begun late is found yet, and it is opened again. */
function ignoreErased(error: unknown): void {
  if (!(error instanceof TenantClosed) || error.isErasing) refuseAsOne(error);
}

/** Why another tenant refuses is its own business, and as little whether it is gone, or what has failed in it. The process's log is told. */
function refuseAsOne(error: unknown): never {
  if (isRefusal(error)) throw new ParticipantRefused({ cause: error });
  throw error instanceof DomainError || error instanceof SagaMovedOn ? error : new ParticipantFailed(error);
}

/** A step in another tenant has failed, and is tried again. */
class ParticipantFailed extends Error {
  override readonly name = 'ParticipantFailed';

  constructor(cause: unknown) {
    super('a step in another tenant has failed', { cause });
  }
}

/** The id of a step: of what it makes, and of its record in another tenant. */
export function stepKey(sagaId: string, step: string): string {
  return deterministicId('saga step', sagaId, step);
}

function contextOf({ tenantId, row }: HeldSaga, step: SagaStep): StepContext {
  const { id: sagaId, input, results } = row;
  return { sagaId, tenantId, input, results, key: stepKey(sagaId, step.name) };
}

function participationOf({ saga, tenantId, row }: HeldSaga, step: SagaStep): ParticipationKey {
  const ownerKey = deterministicId('saga owner', tenantId, row.id);
  return { id: stepKey(row.id, step.name), sagaId: row.id, ownerKey, name: saga.name, step: step.name };
}

/** How long a call is waited for. */
type CallTime = Pick<RemoteContext<never, never>, 'signal' | 'deadline'>;

function timeOf({ callSeconds }: SagaStep): CallTime {
  const ms = callSeconds * 1_000;
  return { signal: AbortSignal.timeout(ms), deadline: Deadline.in(ms) };
}

/**
 * What a call answers in its time. One that does not heed its signal goes on, and is waited for no more: it would hold a lane, and have the
 * lease end. What it does then is what a call does whose answer is lost, and is found under its key.
 */
async function inTime<T>(call: Promise<T>, { signal }: CallTime): Promise<T> {
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  // Behind what whoever heeds it has to say.
  const giveUp = (): void => void setImmediate(() => reject(signal.reason as Error));
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([call, tooLate]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** Whose step it is. */
function ownerOf({ tenantId, row }: HeldSaga, { tenant }: SagaStep): string {
  return tenant?.(row.input as never) ?? tenantId;
}

function compensationContextOf(
  held: HeldSaga,
  step: SagaStep,
): CompensationContext<unknown, object, unknown> {
  return {
    ...contextOf(held, step),
    result: held.row.results[step.name] ?? undefined,
    reason: held.row.reason,
  };
}

/** On its way back, with what is compensated first where that is of the same transaction. */
function turningBack(held: HeldSaga, reason: string): TurningBack {
  const turned = turnedBack(held, reason);
  const back = { ...held, row: turned.next ?? held.row };
  const step = turned.next && held.saga.steps[turned.next.place];
  const work = step && compensationOf(back, step);
  return { progress: step && work ? both(turned, compensated(back, step)) : turned, work };
}

/** The same behind a step that refuses, if that is what becomes of it. */
function turningBackBy(held: HeldSaga, { name }: SagaStep, refusal: unknown): TurningBack | undefined {
  const after = moveAfterFailure(held.saga, held.row, refusal);
  if (after.move !== 'turn_back') return undefined;
  const { progress, work } = turningBack(held, after.reason);
  return {
    progress: { ...progress, did: [{ step: name, outcome: 'refused', refusal }, ...progress.did] },
    work,
  };
}

/** A step of one's own tenant. */
function steppingOf(held: HeldSaga, step: SagaStep): Omit<SagaMoving, 'caller' | 'row'> {
  return {
    progress: (result) => completed(held, step, result, false),
    work: {
      do: async (tx) => step.run?.(tx, contextOf(held, step) as never),
      mayShare: step.sharesTransaction,
    },
    refused: (error) => turningBackBy(held, step, error),
  };
}

/** What takes the step back in the saga's own transaction; undefined where that is done elsewhere. */
function compensationOf(held: HeldSaga, step: SagaStep): SharedWork | undefined {
  const { compensate, sharesTransaction: mayShare } = step;
  if (!compensate || ownerOf(held, step) !== held.tenantId) return undefined;
  return { do: (tx) => compensate(tx, compensationContextOf(held, step) as never), mayShare };
}
