import { counter, gauge, histogram } from '@holdfast/observability';
import { findSaga } from './saga';
import type { OpenSagas, SagaState } from './sagas.sql';

/** Sagas that this process has brought to an end. */
const sagasEndedTotal = counter({
  name: 'holdfast_sagas_ended_total',
  help: 'Sagas by definition and how they ended: completed, compensated, or needs_operator, which goes on when an operator says so.',
  labels: ['saga', 'state'],
});

/** Whole sagas; some wait for days. */
export const sagaSeconds = histogram({
  name: 'holdfast_saga_duration_seconds',
  help: 'Time from the begin of a saga to its end in seconds, by definition and how it ended: completed or compensated.',
  labels: ['saga', 'state'],
  buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600, 3_600, 86_400],
});

/** Counts a saga that a move has brought to this state, if that is an end or a stop; `startedMs` is of the epoch. */
export function countEnd(saga: string, state: SagaState | undefined, startedMs: number): void {
  const isOver = state === 'completed' || state === 'compensated';
  if (isOver || state === 'needs_operator') sagasEndedTotal.inc({ saga, state });
  if (isOver) sagaSeconds.observe({ saga, state }, Math.max(0, Date.now() - startedMs) / 1_000);
}

/** Moves of sagas. */
export const sagaStepSeconds = histogram({
  name: 'holdfast_saga_step_seconds',
  help: 'Time of an attempt at a step in seconds, by definition, step and outcome (done, compensated, refused or failed).',
  labels: ['saga', 'step', 'outcome'],
});

/** Moves that were made in one transaction. */
export const sagaGroupMoves = histogram({
  name: 'holdfast_saga_group_moves',
  help: 'Moves of sagas made together in one transaction.',
  buckets: [1, 2, 4, 8, 16, 32],
});

/** What is open, over all tenants. */
const sagasOpen = gauge({
  name: 'holdfast_sagas_open',
  help: 'Sagas of all tenants that have not ended, by definition, its hash and state, when this process last looked.',
  labels: ['saga', 'hash', 'state', 'known'],
});

/** How long the oldest has been open. */
const oldestSagaSeconds = gauge({
  name: 'holdfast_sagas_oldest_seconds',
  help: 'For how long the oldest saga of a definition and state has been open, over all tenants, when this process last looked.',
  labels: ['saga', 'state'],
});

/** What is open for longer than it may be. */
const sagasOverdue = gauge({
  name: 'holdfast_sagas_overdue',
  help: 'Sagas of all tenants that are open beyond their deadlines, by definition and state, when this process last looked.',
  labels: ['saga', 'state'],
});

/** What nobody goes on with. */
const sagasIdleSeconds = gauge({
  name: 'holdfast_sagas_idle_seconds',
  help: 'For how long a saga of a definition has been due without anybody at work on it, over all tenants, when this process last looked.',
  labels: ['saga', 'hash', 'state', 'known'],
});

/** Shows what was counted, in place of what was counted before. */
export function showOpenSagas(counted: readonly OpenSagas[]): void {
  for (const each of [sagasOpen, oldestSagaSeconds, sagasOverdue, sagasIdleSeconds]) each.reset();
  // Those open for longest last: of a definition with two hashes they are the ones shown.
  for (const open of counted.toSorted((one, other) => one.oldestSeconds - other.oldestSeconds)) {
    const { name: saga, hash, state } = open;
    const of = { saga, hash, state, known: String(findSaga(saga, hash) !== undefined) };
    sagasOpen.set(of, open.sagas);
    sagasIdleSeconds.set(of, Math.max(0, open.idleSeconds));
    oldestSagaSeconds.set({ saga, state }, open.oldestSeconds);
    sagasOverdue.inc({ saga, state }, open.overdue);
  }
}
