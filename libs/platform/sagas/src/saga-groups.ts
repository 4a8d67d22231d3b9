import { type Caller, Deadline, DomainError, JOB_TRANSACTION_MS } from '@holdfast/kernel';
import { isOutage } from '@holdfast/database';
import type { Announcement, TenantDatabase, TenantTx } from '@holdfast/tenancy';
import type { Progress } from './saga-progress';
import { sagaGroupMoves } from './sagas-metrics';
import { hasMovedOn, insertSagas, moveSagas, type NewSaga, SagaMovedOn, type SagaRow } from './sagas.sql';

/** Work of a step, and whether that of other sagas may be in its transaction. */
export interface SharedWork {
  readonly do: (tx: TenantTx) => Promise<unknown>;
  readonly mayShare: boolean;
}

/** A saga that begins, in the name of whoever begins it. */
export interface Beginning {
  readonly by: Caller;
  readonly saga: NewSaga;
  readonly announced: Announcement;
}

/** A move on its way into a transaction, in the name of the saga's module and of the request that began it. */
export interface SagaMoving {
  readonly caller: Caller;
  readonly begins?: Beginning;
  readonly row: SagaRow;
  readonly progress: Progress | ((result: unknown) => Progress);
  /** Absent: nothing but the row moves. */
  readonly work: SharedWork | undefined;
  /** What is done instead, in the same transaction, where a step refuses; undefined where that is somebody else's to say. */
  readonly refused?: (error: unknown) => TurningBack | undefined;
}

/** The saga on its way back, with what is compensated first where that is done in the same transaction. */
export interface TurningBack {
  readonly progress: Progress;
  readonly work: SharedWork | undefined;
}

interface Waiting extends SagaMoving {
  readonly resolve: (made: Progress) => void;
  readonly reject: (error: unknown) => void;
}

/** What came of a move in a transaction with others: it was made, refused, or has to be tried alone. */
type Outcome =
  | { readonly is: 'made'; readonly progress: Progress }
  | { readonly is: 'refused'; readonly error: unknown }
  | { readonly is: 'alone' };

/** Moves of one transaction. Beyond this a move gets hardly cheaper, and each waits for all. */
const GROUP_MAX = 32;

/**
 * Makes moves of sagas, those of one grant by group commit: while one transaction of theirs is under way, moves collect for the next. Each is
 * behind a savepoint of its own, so that one that is refused undoes nothing but itself. Where anything else goes wrong nothing of the group is
 * committed, and each is made alone, as if there were no others; an outage is told to all of them, since it says nothing about any. What may
 * not share a transaction goes at once, alone.
 */
export class SagaGroups {
  /** By grant. A queue is there as long as moves of the grant are under way. */
  private readonly queues = new Map<string, Waiting[]>();

  constructor(private readonly tenants: TenantDatabase) {}

  /** Makes the move in one transaction with the work that belongs to it. Throws what that throws, and SagaMovedOn. */
  commit(moving: SagaMoving): Promise<Progress> {
    if (moving.work && !moving.work.mayShare) return this.alone(moving);
    const { promise, resolve, reject } = Promise.withResolvers<Progress>();
    const { grant } = moving.caller;
    const queue = this.queues.get(grant);
    const waiting = { ...moving, resolve, reject };
    if (queue) queue.push(waiting);
    else {
      this.queues.set(grant, [waiting]);
      setImmediate(() => void this.fly(grant));
    }
    return promise;
  }

  private async fly(grant: string): Promise<void> {
    const queue = this.queues.get(grant) ?? [];
    await this.settle(queue.splice(0, GROUP_MAX));
    // Behind what those that were moved do next: their next moves are in the next group.
    setImmediate(() => {
      if (queue.length > 0) void this.fly(grant);
      else this.queues.delete(grant);
    });
  }

  /** Gives each its progress or its error; never throws. What has to be made alone out of a group is not waited for. */
  private async settle(group: readonly Waiting[]): Promise<void> {
    sagaGroupMoves.observe(group.length);
    const [first] = group;
    if (first && group.length === 1) return this.alone(first).then(first.resolve, first.reject);
    const outcomes = await this.together(group).catch((error: unknown) => group.map(() => outcomeOf(error)));
    for (const [at, moving] of group.entries()) {
      const outcome = outcomes[at];
      if (outcome?.is === 'made') moving.resolve(outcome.progress);
      else if (outcome?.is === 'refused') moving.reject(outcome.error);
      else void this.alone(moving).then(moving.resolve, moving.reject);
    }
  }

  private async alone(moving: SagaMoving): Promise<Progress> {
    try {
      return await this.transaction(moving, async (tx) => {
        tx.collectEvents();
        const progress = progressOf(moving.progress, await moving.work?.do(tx));
        await written(tx, [{ moving, progress }]);
        return progress;
      });
    } catch (error) {
      throw hasMovedOn(error) ? new SagaMovedOn(`saga ${moving.row.id} was changed`) : error;
    }
  }

  private async together(group: readonly SagaMoving[]): Promise<Outcome[]> {
    const [first] = group;
    return first ? this.transaction(first, (tx) => moveAll(tx, group)) : [];
  }

  private transaction<T>({ caller }: SagaMoving, work: (tx: TenantTx) => Promise<T>): Promise<T> {
    // Of its own: they may have waited for a group that was slow, and no deadline of one ends the others.
    return this.tenants.transaction({ ...caller, deadline: Deadline.in(JOB_TRANSACTION_MS) }, work);
  }
}

async function moveAll(tx: TenantTx, group: readonly SagaMoving[]): Promise<Outcome[]> {
  tx.collectEvents();
  const outcomes: Outcome[] = [];
  const moves: Made[] = [];
  for (const moving of group) {
    const outcome = await workOf(tx, moving);
    outcomes.push(outcome);
    if (outcome.is === 'made') moves.push({ moving, progress: outcome.progress });
  }
  await written(tx, moves);
  return outcomes;
}

interface Made {
  readonly moving: SagaMoving;
  readonly progress: Progress;
}

/** Tells of moves that were made, and writes their rows, last, in one packet with the commit. */
async function written(tx: TenantTx, moves: readonly Made[]): Promise<void> {
  for (const { moving, progress } of moves) {
    const { begins, caller: origin } = moving;
    if (begins) await tx.announce({ ...begins.announced, origin: begins.by });
    await tx.announce(...progress.announcements.map((each) => ({ ...each, origin })));
  }
  insertSagas(
    tx,
    moves.flatMap(({ moving }) => moving.begins ?? []),
  );
  moveSagas(
    tx,
    moves.flatMap(({ moving: { row }, progress: { to } }) => (to ? { row, to } : [])),
  );
  await tx.appendCollected();
}

async function workOf(tx: TenantTx, { caller, progress, work, refused }: SagaMoving): Promise<Outcome> {
  try {
    return { is: 'made', progress: progressOf(progress, await workWithin(tx, caller, work)) };
  } catch (error) {
    // A refusal is the step's own. Of anything else it is not known whether it would fail in a transaction of its own.
    return error instanceof DomainError && !isOutage(error)
      ? turnedBackBy(tx, caller, error, refused?.(error))
      : { is: 'alone' };
  }
}

/** Behind a refusal: on the way back at once, if that can be done here as well. */
async function turnedBackBy(
  tx: TenantTx,
  caller: Caller,
  error: DomainError,
  back: TurningBack | undefined,
): Promise<Outcome> {
  if (!back || back.work?.mayShare === false) return { is: 'refused', error };
  try {
    await workWithin(tx, caller, back.work);
    return { is: 'made', progress: back.progress };
  } catch {
    // What is wrong with the compensation is found when that is tried again, behind the refusal.
    return { is: 'refused', error };
  }
}

/** The work behind a savepoint, for the saga's own request. */
async function workWithin(tx: TenantTx, caller: Caller, work: SharedWork | undefined): Promise<unknown> {
  return work && tx.savepoint(() => tx.inNameOf(caller, () => work.do(tx)));
}

function progressOf(progress: SagaMoving['progress'], result: unknown): Progress {
  return typeof progress === 'function' ? progress(result) : progress;
}

/** Of each, where the transaction of all has failed. */
function outcomeOf(error: unknown): Outcome {
  return isOutage(error) ? { is: 'refused', error } : { is: 'alone' };
}
