import { NotFound } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import { announcement, type EventType, type TenantTx } from '@holdfast/tenancy';
import { findSaga } from './saga';
import { canTurnBack } from './saga-moves';
import { SagaCommitted, SagaEnded, SagaNotStopped, SagaUnknown } from './sagas.errors';
import { sagaCancelRequested, sagaRetried } from './sagas.events';
import type { SagaRow } from './sagas.sql';

type LockedSaga = Pick<
  SagaRow,
  'id' | 'name' | 'hash' | 'state' | 'backward' | 'place' | 'intended' | 'cancelRequested' | 'version'
> & { readonly isPinned: boolean };

// Pinned is one that nobody would take up again, because of what only a fault or an attack can have written.
const LOCK = statement<LockedSaga>(
  'sagas.lock',
  `select id, name, hash, state, backward, place, intended, cancel_requested as "cancelRequested", version,
     coalesce(lease_until > clock_timestamp() + interval '90 seconds', false) or coalesce(due_at = 'infinity', false) as "isPinned"
   from sagas.sagas
   where tenant_id = $1 and id = $2
   for no key update`,
);

// A statement of its own, behind the lock: one that waits for a lock sees the log as it was before.
const FIND_NEWEST = statement<{ readonly version: bigint }>(
  'sagas.find_newest_version',
  `select coalesce(max(stream_version), 0) as version
   from events.log
   where tenant_id = $1 and stream_type = 'sagas.saga' and stream_id = $2`,
);

// Whoever has the lease finds another version, looks again, and sees it.
const REQUEST_CANCEL = statement(
  'sagas.request_cancel',
  `update sagas.sagas
   set cancel_requested = true, version = version + 1,
     due_at = case when due_at is not null then clock_timestamp() end
   where tenant_id = $1 and id = $2`,
);

const RESUME = statement(
  'sagas.resume',
  `update sagas.sagas
   set state = case when backward then 'compensating' else 'running' end, attempts = 0, version = $4,
     cancel_requested = cancel_requested or $3, due_at = clock_timestamp(), lease_until = null, step_deadline_at = null
   where tenant_id = $1 and id = $2`,
);

/** What can be asked of a saga. */
export type Steering = 'retry' | 'compensate' | 'cancel';

/**
 * Steers a saga in the name of the transaction's caller; its events say who it was.
 *
 * - `cancel`: it is given up before its next step, as long as it can be. Asking again changes nothing.
 * - `retry`: one that waits for an operator goes on in the direction in which it was, with all its attempts. Where this release does
 *   not have its definition, a process of the release that has it goes on with it.
 * - `compensate`: the same as `cancel`, asked of one that stands still, whether it waits for an operator, an event or its next attempt.
 *
 * One whose lease lies further away than any is given, that is never due, or whose row and stream tell of different versions, counts as one
 * that waits for an operator.
 *
 * Throws NotFound, SagaEnded, SagaCommitted, SagaNotStopped or SagaUnknown.
 */
export async function steerSaga(
  tx: TenantTx,
  id: string,
  steering: Steering,
): Promise<{ readonly id: string }> {
  const row = await tx.row(LOCK, [tx.tenantId, id]);
  if (!row) throw new NotFound();
  if (row.state === 'completed' || row.state === 'compensated') throw new SagaEnded();
  if (steering !== 'retry') requireTurnable(row);
  const newest = (await tx.row(FIND_NEWEST, [tx.tenantId, id]))?.version ?? 0n;
  const isStopped = row.state === 'needs_operator' || row.isPinned || row.version !== newest;
  if (steering === 'retry' && !isStopped) throw new SagaNotStopped();
  const asksToCancel = steering !== 'retry' && !row.cancelRequested;
  const events: EventType[] = [
    ...(isStopped ? [sagaRetried] : []),
    ...(asksToCancel ? [sagaCancelRequested] : []),
  ];
  if (events.length === 0) return { id };
  if (isStopped)
    await tx.execute(RESUME, [tx.tenantId, id, steering !== 'retry', newest + BigInt(events.length)]);
  else await tx.execute(REQUEST_CANCEL, [tx.tenantId, id]);
  await tx.announce(
    ...events.map((type, at) => announcement(type, { id, version: newest + BigInt(at + 1) }, {})),
  );
  return { id };
}

function requireTurnable(row: LockedSaga): void {
  const saga = findSaga(row.name, row.hash);
  if (!saga) throw new SagaUnknown();
  if (row.backward || !canTurnBack(saga, row)) throw new SagaCommitted();
}
