import { AddressPolicy } from '@holdfast/outgoing';
import { type DynamicModule, Module } from '@nestjs/common';
import { DeliveriesController } from './deliveries/deliveries.controller';
import { DeliveriesHandler } from './deliveries/deliveries.query';
import { DeliveriesResolver } from './deliveries/deliveries.resolver';
import { DeliveryByIdHandler } from './deliveries/delivery-by-id.query';
import { RetryDeliveriesHandler } from './deliveries/retry-deliveries.command';
import { RetryDeliveryHandler } from './deliveries/retry-delivery.command';
import { TestWebhookHandler } from './deliveries/test-webhook.command';
import { ChangeWebhookHandler } from './endpoints/change-webhook.command';
import { CreateWebhookHandler } from './endpoints/create-webhook.command';
import { RemoveWebhookHandler } from './endpoints/remove-webhook.command';
import { RotateWebhookSecretHandler } from './endpoints/rotate-webhook-secret.command';
import { WebhooksController } from './endpoints/webhooks.controller';
import { WebhookByIdHandler, WebhooksHandler } from './endpoints/webhooks.query';
import { WebhooksResolver } from './endpoints/webhooks.resolver';
import { SecretKeyring } from './secrets/secret-keyring';
import type { WebhookSettings } from './webhook-settings';
import './webhooks.aggregates';

/** Webhooks and what is delivered to them. Sending is the worker's: see WebhookSender. */
@Module({})
export class WebhooksModule {
  static forRoot({ keys, allowedNetworks }: WebhookSettings): DynamicModule {
    return {
      module: WebhooksModule,
      controllers: [WebhooksController, DeliveriesController],
      providers: [
        { provide: SecretKeyring, useValue: new SecretKeyring(keys) },
        { provide: AddressPolicy, useValue: new AddressPolicy(allowedNetworks) },
        CreateWebhookHandler,
        ChangeWebhookHandler,
        RemoveWebhookHandler,
        RotateWebhookSecretHandler,
        WebhooksHandler,
        WebhookByIdHandler,
        WebhooksResolver,
        DeliveriesHandler,
        DeliveryByIdHandler,
        RetryDeliveryHandler,
        RetryDeliveriesHandler,
        TestWebhookHandler,
        DeliveriesResolver,
      ],
    };
  }
}
