import { Module } from '@nestjs/common';
import { OperatorSagasController } from './operator-sagas.controller';
import { SagasController } from './sagas.controller';
import { SagaByIdHandler, SagasHandler } from './sagas.query';
import { SagasResolver } from './sagas.resolver';
import { SettleSagaStepHandler } from './settle-saga-step.command';
import { SteerSagaHandler } from './steer-saga.command';

/** Sagas seen and steered. Running them is the worker's, and that of whoever begins them: see SagaRunner. */
@Module({
  controllers: [SagasController, OperatorSagasController],
  providers: [SagasHandler, SagaByIdHandler, SteerSagaHandler, SettleSagaStepHandler, SagasResolver],
})
export class SteeringModule {}
