import { idSchema } from '@holdfast/kernel';
import { type Idempotency, pageOf, type Page } from '@holdfast/cqrs';
import { ApiIdempotencyKey, IdempotencyKey } from '@holdfast/http';
import {
  EndSupportAccess,
  generateApiKey,
  OperatorOnly,
  Operators,
  startedSupportAccessView,
  StartSupportAccess,
  startSupportAccessInput,
  SupportAccesses,
  supportAccessesInput,
  supportAccessView,
  type SupportAccessView,
} from '@holdfast/identity';
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { TenantDirectory } from './tenant-directory.query';

@ApiTags('operator')
@OperatorOnly()
@Controller('v1/operator/tenants/:id/support-access')
export class OperatorSupportController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly directory: TenantDirectory,
    private readonly operators: Operators,
  ) {}

  @Get()
  @ApiOperation({ summary: 'List when and why operators acted for a tenant, newest first' })
  @ApiOkResponse({ standardSchema: pageOf(supportAccessView) })
  async list(
    @Req() request: FastifyRequest,
    @Param('id', { schema: idSchema }) id: string,
    @Query({ schema: supportAccessesInput }) input: z.output<typeof supportAccessesInput>,
  ): Promise<Page<SupportAccessView>> {
    const tenant = await this.directory.get(id);
    return this.queries.execute(
      new SupportAccesses(await this.operators.callerIn(tenant.id, request), input),
    );
  }

  @Post()
  @ApiOperation({ summary: 'Act for a tenant, for a reason that it can read and half an hour at most' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: startedSupportAccessView })
  async start(
    @Req() request: FastifyRequest,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: startSupportAccessInput }) input: z.output<typeof startSupportAccessInput>,
  ): Promise<z.output<typeof startedSupportAccessView>> {
    const tenant = await this.directory.get(id);
    const caller = await this.operators.callerIn(tenant.id, request);
    const secret = generateApiKey('live');
    const access = await this.commands.execute(new StartSupportAccess(caller, input, secret, idempotency));
    return { ...access, secret: idempotency.replayed ? null : secret.text };
  }

  @Delete(':accessId')
  @HttpCode(204)
  @ApiOperation({ summary: 'End an access; every process refuses it within five seconds' })
  @ApiNoContentResponse()
  async end(
    @Req() request: FastifyRequest,
    @Param('id', { schema: idSchema }) id: string,
    @Param('accessId', { schema: idSchema }) accessId: string,
  ): Promise<void> {
    const tenant = await this.directory.get(id);
    const caller = await this.operators.callerIn(tenant.id, request);
    await this.commands.execute(new EndSupportAccess(caller, { id: accessId }));
  }
}
