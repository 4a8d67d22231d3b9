import { type Caller, idSchema } from '@holdfast/kernel';
import { type Idempotency, pageOf, type Page } from '@holdfast/cqrs';
import { ApiIdempotencyKey, CallerOf, IdempotencyKey, Needs } from '@holdfast/http';
import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { Deliveries, deliveriesInput } from './deliveries.query';
import { deliveryDetailView, type DeliveryDetailView, deliveryView, type DeliveryView } from './delivery';
import { DeliveryById } from './delivery-by-id.query';
import {
  retriedDeliveriesView,
  type RetriedDeliveriesView,
  RetryDeliveries,
  retryDeliveriesInput,
} from './retry-deliveries.command';
import { retriedView, type RetriedView, RetryDelivery } from './retry-delivery.command';
import { TestWebhook } from './test-webhook.command';

@ApiTags('webhooks')
@Controller('v1/webhooks/:id')
export class DeliveriesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get('deliveries')
  @Needs('webhooks:read')
  @ApiOperation({
    summary: 'List deliveries, newest first; a page of filtered ones may be short though there are more',
  })
  @ApiOkResponse({ standardSchema: pageOf(deliveryView) })
  list(
    @CallerOf() caller: Caller,
    @Param('id', { schema: idSchema }) webhookId: string,
    @Query({ schema: deliveriesInput }) input: z.output<typeof deliveriesInput>,
  ): Promise<Page<DeliveryView>> {
    return this.queries.execute(new Deliveries(caller, { ...input, webhookId }));
  }

  @Get('deliveries/:deliveryId')
  @Needs('webhooks:read')
  @ApiOperation({ summary: 'Show a delivery with what was sent and what came back' })
  @ApiOkResponse({ standardSchema: deliveryDetailView })
  show(
    @CallerOf() caller: Caller,
    @Param('id', { schema: idSchema }) webhookId: string,
    @Param('deliveryId', { schema: idSchema }) id: string,
  ): Promise<DeliveryDetailView> {
    return this.queries.execute(new DeliveryById(caller, { webhookId, id }));
  }

  @Post('deliveries/:deliveryId/retry')
  @Needs('webhooks:write')
  @HttpCode(202)
  @ApiOperation({ summary: 'Send a delivery again, now' })
  @ApiIdempotencyKey()
  @ApiAcceptedResponse({ standardSchema: retriedView })
  retry(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) webhookId: string,
    @Param('deliveryId', { schema: idSchema }) id: string,
  ): Promise<RetriedView> {
    return this.commands.execute(new RetryDelivery(caller, { webhookId, id }, idempotency));
  }

  // The router reads a double colon as one that names no parameter.
  @Post('deliveries::retry')
  @Needs('webhooks:write')
  @HttpCode(202)
  @ApiOperation({ summary: 'Send again what a filter chooses, up to a thousand at a time' })
  @ApiIdempotencyKey()
  @ApiAcceptedResponse({ standardSchema: retriedDeliveriesView })
  retryMany(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) webhookId: string,
    @Body({ schema: retryDeliveriesInput }) input: z.output<typeof retryDeliveriesInput>,
  ): Promise<RetriedDeliveriesView> {
    return this.commands.execute(new RetryDeliveries(caller, { ...input, webhookId }, idempotency));
  }

  @Post('test')
  @Needs('webhooks:write')
  @HttpCode(202)
  @ApiOperation({ summary: 'Send a webhook a test' })
  @ApiIdempotencyKey()
  @ApiAcceptedResponse({ standardSchema: retriedView })
  test(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) webhookId: string,
  ): Promise<RetriedView> {
    return this.commands.execute(new TestWebhook(caller, { webhookId }, idempotency));
  }
}
