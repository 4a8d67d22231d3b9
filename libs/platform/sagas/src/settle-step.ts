import { NotFound } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { findSaga, type SagaStep } from './saga';
import { type HeldSaga, compensated, completed, type Progress, turnedBack } from './saga-progress';
import {
  SagaCommitted,
  SagaEnded,
  SagaNotStopped,
  SagaUnknown,
  SettledOtherwise,
  StepNotOutside,
} from './sagas.errors';
import { countEnd } from './sagas-metrics';
import { sagaCompensated, sagaCompensationBegun, sagaStepSettled } from './sagas.events';
import { findHeldSaga, moveSagas, postponeSaga, type SagaRow } from './sagas.sql';
import { findSeenSaga } from './seen-sagas.sql';

const REOPEN = statement<{ readonly fence: bigint }>(
  'sagas.reopen',
  `update sagas.sagas
   set state = case when backward then 'compensating' else 'running' end, attempts = 0, version = version + 1, due_at = clock_timestamp()
   where tenant_id = $1 and id = $2 and state = 'needs_operator'
   returning fence`,
);

// Of one that has done nothing and that somebody has to look at, since nobody takes it up.
const LOCK_UNTOUCHED = statement<{ readonly name: string; readonly hash: string }>(
  'sagas.lock_untouched',
  `select name, hash
   from sagas.sagas
   where tenant_id = $1 and id = $2 and state = 'running' and version = 1 and sagas.is_stuck(state, deadline_at, due_at, lease_until)
   for no key update`,
);

const END_UNTOUCHED = statement(
  'sagas.end_untouched',
  `update sagas.sagas
   set state = 'compensated', backward = true, place = -1, reason = $3, version = 4, fence = fence + 1, due_at = null,
     lease_until = null, ended_at = clock_timestamp()
   where tenant_id = $1 and id = $2`,
);

/** What has become, outside, of the step at which a saga has stopped. */
export type SettledAs = 'done' | 'refused' | 'compensated';

/** Why a saga turned back whose step an operator has settled as refused. */
const SETTLED = 'sagas.settled';

/**
 * Settles by hand the step at which a saga has stopped, and has it go on behind that: for when whoever was asked will not answer any more,
 * and somebody has found out what became of it. `done` is in effect, and answers null; `refused` has no effect and will have none, so that
 * even a pivot is turned back from; `compensated` is taken back. Only of what is outside: of a step in the database, that tells.
 *
 * One that was begun under a definition that there is not, and has stood for long, is settled as `refused` as well, and has ended.
 *
 * The grant is the module's, since nobody else moves a saga; who acts for it is in the event, with the ticket that says how it is known: the
 * log keeps no text of anybody's. Throws NotFound, SagaEnded, SagaNotStopped, SagaUnknown, StepNotOutside, SettledOtherwise and SagaCommitted.
 */
export async function settleStep(
  tx: TenantTx,
  id: string,
  { as, ticket }: { readonly as: SettledAs; readonly ticket: string },
): Promise<void> {
  if (as === 'refused' && (await endUntouched(tx, id, ticket))) return;
  const row = await reopen(tx, id);
  const saga = findSaga(row.name, row.hash);
  if (!saga) throw new SagaUnknown();
  const step = saga.steps[row.place];
  if (step?.does !== 'remote') throw new StepNotOutside();
  const held = { saga, tenantId: tx.tenantId, row, sinceMs: performance.now() };
  const { to, announcements, next } = settled(held, step, as);
  if (to) moveSagas(tx, [{ row, to }]);
  tx.onEnd((isCommitted) => {
    if (isCommitted) countEnd(saga.name, to?.state, row.startedMs);
  });
  // Whoever looks first goes on with it.
  if (next) await postponeSaga(tx, next, { failures: 0, seconds: 0 });
  const told = { step: step.name, as, ticket };
  await tx.announce(announcement(sagaStepSettled, { id, version: row.version }, told), ...announcements);
}

/** Ends what nobody knows how to go on with, and nobody ever has; answers whether it is such a one. */
async function endUntouched(tx: TenantTx, id: string, ticket: string): Promise<boolean> {
  const begun = await tx.row(LOCK_UNTOUCHED, [tx.tenantId, id]);
  if (!begun || findSaga(begun.name, begun.hash)) return false;
  await tx.execute(END_UNTOUCHED, [tx.tenantId, id, SETTLED]);
  await tx.announce(
    announcement(sagaStepSettled, { id, version: 2n }, { step: '', as: 'refused', ticket }),
    announcement(sagaCompensationBegun, { id, version: 3n }, { code: SETTLED, place: -1 }),
    announcement(sagaCompensated, { id, version: 4n }, {}),
  );
  return true;
}

async function reopen(tx: TenantTx, id: string): Promise<SagaRow> {
  const reopened = await tx.row(REOPEN, [tx.tenantId, id]);
  const row = reopened && (await findHeldSaga(tx, id, reopened.fence));
  if (row) return row;
  const seen = await findSeenSaga(tx, id);
  if (!seen) throw new NotFound();
  throw seen.endedAt ? new SagaEnded() : new SagaNotStopped();
}

function settled(held: HeldSaga, step: SagaStep, as: SettledAs): Progress {
  const { saga, row } = held;
  if ((as === 'compensated') !== row.backward) throw new SettledOtherwise();
  if (as === 'compensated') return compensated(held, step);
  if (as === 'done') return completed(held, step, null, true);
  if (row.place >= saga.committedFrom) throw new SagaCommitted();
  return turnedBack(held, SETTLED);
}
