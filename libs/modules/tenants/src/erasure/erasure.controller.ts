import { idSchema } from '@holdfast/kernel';
import type { Idempotency } from '@holdfast/cqrs';
import { ApiIdempotencyKey, IdempotencyKey } from '@holdfast/http';
import { OperatorOnly } from '@holdfast/identity';
import { Body, Controller, Get, HttpCode, Param, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { OperatorCallers } from '../operator-callers';
import { listedTenantView, type ListedTenantView } from '../tenant-view';
import { ErasureReceipts, keySetView, receiptView, type ReceiptView } from './erasure-receipts.query';
import { OrderErasure, orderErasureInput } from './order-erasure.command';

@ApiTags('operator')
@OperatorOnly()
@Controller('v1/operator')
export class ErasureController {
  constructor(
    private readonly commands: CommandBus,
    private readonly callers: OperatorCallers,
    private readonly receipts: ErasureReceipts,
  ) {}

  @Post('tenants/:id/erase')
  @HttpCode(202)
  @ApiOperation({ summary: 'Close a tenant and erase it when the days of grace are over' })
  @ApiIdempotencyKey()
  @ApiAcceptedResponse({ standardSchema: listedTenantView })
  async erase(
    @Req() request: FastifyRequest,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: orderErasureInput }) input: z.output<typeof orderErasureInput>,
  ): Promise<ListedTenantView> {
    const caller = await this.callers.operatorIn(id, request);
    return this.commands.execute(new OrderErasure(caller, input, idempotency));
  }

  @Get('tenants/:id/receipt')
  @ApiOperation({ summary: 'Show the signed receipt of an erased tenant' })
  @ApiOkResponse({ standardSchema: receiptView })
  receipt(@Param('id', { schema: idSchema }) id: string): Promise<ReceiptView> {
    return this.receipts.get(id);
  }

  @Get('receipts/jwks')
  @ApiOperation({ summary: 'Show the public keys that verify receipts' })
  @ApiOkResponse({ standardSchema: keySetView })
  keys(): Promise<z.output<typeof keySetView>> {
    return this.receipts.keys();
  }
}
