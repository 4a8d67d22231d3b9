import { idSchema } from '@holdfast/kernel';
import type { Idempotency } from '@holdfast/cqrs';
import { ApiIdempotencyKey, IdempotencyKey } from '@holdfast/http';
import { OperatorOnly, Operators } from '@holdfast/identity';
import { Body, Controller, HttpCode, Param, Post, Req } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { moduleOf, sagaView, type SagaView } from './saga-view';
import { SagaById } from './sagas.query';
import { settleInput, SettleSagaStep } from './settle-saga-step.command';

@ApiTags('operator')
@OperatorOnly()
@Controller('v1/operator/tenants/:id/sagas')
export class OperatorSagasController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly operators: Operators,
  ) {}

  @Post(':sagaId/settle')
  @HttpCode(200)
  @ApiOperation({ summary: 'Say what has become, outside, of the step at which a saga has stopped' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: sagaView })
  async settle(
    @Req() request: FastifyRequest,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) tenantId: string,
    @Param('sagaId', { schema: idSchema }) id: string,
    @Body({ schema: settleInput }) outcome: z.output<typeof settleInput>,
  ): Promise<SagaView> {
    const operator = await this.operators.callerIn(tenantId, request);
    const saga = await this.queries.execute(new SagaById(operator, { id }));
    const caller = await this.operators.callerIn(tenantId, request, moduleOf(saga));
    return this.commands.execute(new SettleSagaStep(caller, { id, ...outcome }, idempotency));
  }
}
