export {
  moduleOf,
  sagaDetailView,
  type SagaDetailView,
  sagaState,
  type SagaView,
  showSaga,
} from './saga-view';
export { SagaById, Sagas, sagasInput } from './sagas.query';
export { settleInput, SettleSagaStep } from './settle-saga-step.command';
export { SteerSaga } from './steer-saga.command';
export { SteeringModule } from './steering.module';
