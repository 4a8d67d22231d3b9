import { type Caller, idSchema } from '@holdfast/kernel';
import { type Idempotency, pageOf, type Page } from '@holdfast/cqrs';
import { ApiIdempotencyKey, CallerOf, IdempotencyKey, Needs } from '@holdfast/http';
import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { sagaDetailView, type SagaDetailView, sagaView, type SagaView } from './saga-view';
import { SagaById, Sagas, sagasInput } from './sagas.query';
import { SteerSaga } from './steer-saga.command';

@ApiTags('sagas')
@Controller('v1/sagas')
export class SagasController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Needs('sagas:read')
  @ApiOperation({ summary: 'List sagas, newest first' })
  @ApiOkResponse({ standardSchema: pageOf(sagaView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: sagasInput }) input: z.output<typeof sagasInput>,
  ): Promise<Page<SagaView>> {
    return this.queries.execute(new Sagas(caller, input));
  }

  @Get(':id')
  @Needs('sagas:read')
  @ApiOperation({ summary: 'Show a saga with its steps and what has happened to it' })
  @ApiOkResponse({ standardSchema: sagaDetailView })
  byId(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<SagaDetailView> {
    return this.queries.execute(new SagaById(caller, { id }));
  }

  @Post(':id/retry')
  @Needs('sagas:write')
  @HttpCode(200)
  @ApiOperation({ summary: 'Have a saga that waits for an operator go on, with all its attempts' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: sagaView })
  retry(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<SagaView> {
    return this.commands.execute(new SteerSaga(caller, { id, steering: 'retry' }, idempotency));
  }

  @Post(':id/compensate')
  @Needs('sagas:write')
  @HttpCode(200)
  @ApiOperation({ summary: 'Give up a saga that stands still, as long as it can be' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: sagaView })
  compensate(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<SagaView> {
    return this.commands.execute(new SteerSaga(caller, { id, steering: 'compensate' }, idempotency));
  }

  @Post(':id/cancel')
  @Needs('sagas:write')
  @HttpCode(200)
  @ApiOperation({ summary: 'Give a saga up before its next step, as long as it can be' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: sagaView })
  cancel(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<SagaView> {
    return this.commands.execute(new SteerSaga(caller, { id, steering: 'cancel' }, idempotency));
  }
}
