import './sagas.aggregates';

export { findOpenSaga } from './open-saga.query';
export {
  findSaga,
  LASTING_ATTEMPTS_MAX,
  listSagas,
  type Saga,
  saga,
  type SagaStep,
  type StepContext,
} from './saga';
export { SagaRunner, type SagaRunnerOptions } from './saga-runner';
export { stepKey } from './saga-work';
export { ParticipantRefused, SagaCommitted, SagaEnded, SagaNotStopped, SagaUnknown } from './sagas.errors';
export { type SagaState } from './sagas.sql';
export {
  findSeenSaga,
  listOperatedSagas,
  listSagaEvents,
  listSeenSagas,
  type SagaEvent,
  type SagasAsked,
  type SeenSaga,
} from './seen-sagas.sql';
export { settleStep } from './settle-step';
export { type Steering, steerSaga } from './steer-saga';
