import { type Caller, idSchema } from '@holdfast/kernel';
import {
  CallerOf,
  connectionOf,
  dto,
  idempotencyOf,
  Needs,
  PageArgs,
  pageInputOf,
  represent,
  toConnection,
} from '@holdfast/http';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { Deliveries, deliveriesInput } from './deliveries.query';
import {
  attemptRequestView,
  attemptResponseView,
  attemptView,
  deliveryDetailView,
  deliveryView,
} from './delivery';
import { DeliveryById } from './delivery-by-id.query';
import { retriedDeliveriesView, RetryDeliveries, retryDeliveriesInput } from './retry-deliveries.command';
import { retriedView, RetryDelivery } from './retry-delivery.command';
import { TestWebhook } from './test-webhook.command';

@ObjectType()
export class DeliveryRequest extends dto(attemptRequestView, 'output') {}
represent(attemptRequestView, 'output', () => DeliveryRequest);

@ObjectType()
export class DeliveryResponse extends dto(attemptResponseView, 'output') {}
represent(attemptResponseView, 'output', () => DeliveryResponse);

@ObjectType()
export class DeliveryAttempt extends dto(attemptView, 'output') {}
represent(attemptView, 'output', () => DeliveryAttempt);

@ObjectType()
export class Delivery extends dto(deliveryView, 'output') {}

@ObjectType()
export class DeliveryDetail extends dto(deliveryDetailView, 'output') {}

@ObjectType()
export class DeliveryConnection extends connectionOf(Delivery) {}

@ObjectType()
export class RetriedDelivery extends dto(retriedView, 'output') {}

@ObjectType()
export class RetriedDeliveries extends dto(retriedDeliveriesView, 'output') {}

const { status, type, from, to } = deliveriesInput.shape;

// A GraphQL client may send null for what it leaves out.
@ArgsType()
export class DeliveriesArgs extends dto(
  PageArgs.schema.extend({
    webhookId: idSchema,
    status: status.nullable(),
    type: type.nullable(),
    from: from.nullable(),
    to: to.nullable(),
  }),
  'args',
) {}

@ArgsType()
export class DeliveryArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

@ArgsType()
export class RetryDeliveryArgs extends dto(
  z.strictObject({ id: idSchema, idempotencyKey: z.string() }),
  'args',
) {}

const retry = retryDeliveriesInput.shape;

@ArgsType()
export class RetryDeliveriesArgs extends dto(
  retryDeliveriesInput.extend({
    webhookId: idSchema,
    type: retry.type.nullable(),
    to: retry.to.nullable(),
    idempotencyKey: z.string(),
  }),
  'args',
) {}

@ArgsType()
export class TestWebhookArgs extends dto(
  z.strictObject({ id: idSchema, idempotencyKey: z.string() }),
  'args',
) {}

@Resolver(() => Delivery)
export class DeliveriesResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => DeliveryConnection, {
    description: 'What was and is to be delivered to a webhook, newest first.',
  })
  @Needs('webhooks:read')
  async deliveries(@CallerOf() caller: Caller, @Args() args: DeliveriesArgs): Promise<DeliveryConnection> {
    const filters = {
      webhookId: args.webhookId,
      status: args.status ?? undefined,
      type: args.type ?? undefined,
      from: args.from ?? undefined,
      to: args.to ?? undefined,
    };
    return toConnection(
      await this.queries.execute(new Deliveries(caller, { ...pageInputOf(args), ...filters })),
    );
  }

  @Query(() => DeliveryDetail, { description: 'One delivery, with what was sent and what came back.' })
  @Needs('webhooks:read')
  delivery(@CallerOf() caller: Caller, @Args() { id }: DeliveryArgs): Promise<DeliveryDetail> {
    return this.queries.execute(new DeliveryById(caller, { id }));
  }

  @Mutation(() => RetriedDelivery, { description: 'Sends a delivery again, now.' })
  @Needs('webhooks:write')
  retryDelivery(
    @CallerOf() caller: Caller,
    @Args() { idempotencyKey, ...named }: RetryDeliveryArgs,
  ): Promise<RetriedDelivery> {
    return this.commands.execute(new RetryDelivery(caller, named, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => RetriedDeliveries, {
    description: 'Sends again what a filter chooses, up to a thousand at a time.',
  })
  @Needs('webhooks:write')
  retryDeliveries(
    @CallerOf() caller: Caller,
    @Args() { idempotencyKey, type: ofType, to: before, ...rest }: RetryDeliveriesArgs,
  ): Promise<RetriedDeliveries> {
    const filter = { ...rest, type: ofType ?? undefined, to: before ?? undefined };
    return this.commands.execute(new RetryDeliveries(caller, filter, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => RetriedDelivery, { description: 'Sends a webhook a test.' })
  @Needs('webhooks:write')
  testWebhook(
    @CallerOf() caller: Caller,
    @Args() { id, idempotencyKey }: TestWebhookArgs,
  ): Promise<RetriedDelivery> {
    return this.commands.execute(new TestWebhook(caller, { webhookId: id }, idempotencyOf(idempotencyKey)));
  }
}
