import { type Announcement, announcement } from '@holdfast/tenancy';
import type { Saga, SagaStep } from './saga';
import { canTurnBack, compensatedBefore, turningPoint } from './saga-moves';
import {
  sagaCompensated,
  sagaCompensationBegun,
  sagaCompleted,
  sagaOperatorNeeded,
  sagaStepCompensated,
  sagaStepCompleted,
} from './sagas.events';
import type { SagaChange, SagaRow } from './sagas.sql';

/** A saga in the hands of this process. */
export interface HeldSaga {
  readonly saga: Saga;
  readonly tenantId: string;
  readonly row: SagaRow;
  /** Since when it is at its move, by the process's own clock. */
  readonly sinceMs: number;
}

/** What is left to do behind a move: the row as it is then, or undefined where the lease was given back or the saga has ended. */
export type Moved = SagaRow | undefined;

/** What is written of a move, if it changes the row, and the row behind it; without one the saga has ended or stopped. */
export interface Progress {
  readonly to: SagaChange | undefined;
  readonly announcements: readonly Announcement[];
  readonly next: Moved;
  readonly did: readonly StepDid[];
}

/** What has become of a step. */
export interface StepDid {
  readonly step: string;
  readonly outcome: 'done' | 'compensated' | 'refused';
  /** What it has refused with. */
  readonly refusal?: unknown;
}

/** Where a saga was begun, and nothing else has happened. */
export function begun({ row }: HeldSaga): Progress {
  return { to: undefined, announcements: [], next: row, did: [] };
}

/** Behind a step. What was done elsewhere is done, and is marked so though it is late. */
export function completed(
  held: HeldSaga,
  { name }: SagaStep,
  result: unknown,
  isElsewhere: boolean,
): Progress {
  const { saga, row } = held;
  const place = row.place + 1;
  const next = saga.steps[place];
  const results = { [name]: result ?? null };
  const announcements = [event(row, 1n, sagaStepCompleted, { step: name, place })];
  if (!next) announcements.push(event(row, 2n, sagaCompleted, {}));
  const to = {
    ...{ place, results, intended: false, isForced: isElsewhere || !canTurnBack(saga, row) },
    ...(next ? { timeoutSeconds: next.timeoutSeconds } : { state: 'completed' as const }),
  };
  return progressOf(held, announcements, to, { step: name, outcome: 'done' });
}

/** Behind a compensation. */
export function compensated({ saga, row }: HeldSaga, { name }: SagaStep): Progress {
  const place = compensatedBefore(saga, row.place);
  const announcements = [event(row, 1n, sagaStepCompensated, { step: name, place })];
  if (place < 0) announcements.push(event(row, 2n, sagaCompensated, {}));
  const state = place < 0 ? 'compensated' : 'compensating';
  const to = { state, place, intended: false, isForced: true } as const;
  return progressOf({ saga, row }, announcements, to, { step: name, outcome: 'compensated' });
}

/** On its way back. */
export function turnedBack({ saga, row }: HeldSaga, reason: string): Progress {
  const place = turningPoint(saga, row);
  const announcements = [event(row, 1n, sagaCompensationBegun, { code: reason, place })];
  if (place < 0) announcements.push(event(row, 2n, sagaCompensated, {}));
  const state = place < 0 ? 'compensated' : 'compensating';
  const intended = place === row.place && row.intended;
  const to = { state, place, intended, reason, backward: true, isForced: true } as const;
  return progressOf({ saga, row }, announcements, to);
}

/** Left to an operator. */
export function stopped({ saga, row }: HeldSaga, reason: string): Progress {
  const step = saga.steps[row.place]?.name ?? '';
  return {
    to: { state: 'needs_operator', intended: row.intended, reason, events: 1, isForced: true },
    announcements: [event(row, 1n, sagaOperatorNeeded, { step, code: reason })],
    next: undefined,
    did: [],
  };
}

/** Two moves as one. */
export function both(first: Progress, second: Progress): Progress {
  const { next } = second;
  const announcements = [...first.announcements, ...second.announcements];
  const did = [...first.did, ...second.did];
  return {
    to: first.to && second.to ? bothChanges(first.to, second.to) : (second.to ?? first.to),
    announcements,
    next,
    did,
  };
}

function bothChanges(first: SagaChange, second: SagaChange): SagaChange {
  return {
    ...first,
    ...second,
    results: { ...first.results, ...second.results },
    events: first.events + second.events,
    timeoutSeconds: second.timeoutSeconds,
    // What may not be made of a saga that is late is the first of them.
    isForced: first.isForced && second.isForced,
  };
}

function progressOf(
  { saga, row }: Pick<HeldSaga, 'saga' | 'row'>,
  announcements: readonly Announcement[],
  to: Omit<SagaChange, 'events'>,
  ...did: readonly StepDid[]
): Progress {
  const { state = row.state, place = row.place, backward = row.backward, intended } = to;
  const isOver = state === 'completed' || state === 'compensated';
  const next: SagaRow = {
    ...row,
    ...{ state, place, backward, intended, attempts: 0, isStepLate: false },
    results: { ...row.results, ...to.results },
    reason: to.reason ?? row.reason,
    version: row.version + BigInt(announcements.length),
  };
  const kept = isOver && saga.keeps ? { input: saga.keeps(row.input as never) } : {};
  return {
    to: { ...to, ...kept, events: announcements.length },
    ...{ announcements, next: isOver ? undefined : next, did },
  };
}

function event(
  { id, version }: SagaRow,
  behind: bigint,
  type: Parameters<typeof announcement>[0],
  payload: object,
): Announcement {
  return announcement(type, { id, version: version + behind }, payload);
}
