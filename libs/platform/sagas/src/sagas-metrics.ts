import { counter, gauge, histogram } from '@holdfast/observability';

/** Sagas that this process has brought to an end. */
export const sagasEndedTotal = counter({
  name: 'holdfast_sagas_ended_total',
  help: 'Sagas by definition and how they ended: completed, compensated, or needs_operator, which goes on when an operator says so.',
  labels: ['saga', 'state'],
});

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
export const sagasOpen = gauge({
  name: 'holdfast_sagas_open',
  help: 'Sagas of all tenants that have not ended, by definition, its hash and state, when this process last looked.',
  labels: ['saga', 'hash', 'state', 'known'],
});

/** How long the oldest has been open. */
export const oldestSagaSeconds = gauge({
  name: 'holdfast_sagas_oldest_seconds',
  help: 'For how long the oldest saga of a definition and state has been open, over all tenants, when this process last looked.',
  labels: ['saga', 'state'],
});
