import { Module } from '@nestjs/common';
import { SagasController } from './sagas.controller';
import { SagaByIdHandler, SagasHandler } from './sagas.query';
import { SagasResolver } from './sagas.resolver';
import { SteerSagaHandler } from './steer-saga.command';

/** Sagas seen and steered. Running them is the worker's, and that of whoever begins them: see SagaRunner. */
@Module({
  controllers: [SagasController],
  providers: [SagasHandler, SagaByIdHandler, SteerSagaHandler, SagasResolver],
})
export class SteeringModule {}
