import { type DynamicModule, Module } from '@nestjs/common';
import { ChangeWebhookHandler } from './endpoints/change-webhook.command';
import { CreateWebhookHandler } from './endpoints/create-webhook.command';
import { RemoveWebhookHandler } from './endpoints/remove-webhook.command';
import { RotateWebhookSecretHandler } from './endpoints/rotate-webhook-secret.command';
import { WebhooksController } from './endpoints/webhooks.controller';
import { WebhookByIdHandler, WebhooksHandler } from './endpoints/webhooks.query';
import { WebhooksResolver } from './endpoints/webhooks.resolver';
import { type SealingKey, SecretKeyring } from './secrets/secret-keyring';
import { AddressPolicy } from './sending/address-policy';

/** What the configuration says of webhooks, to API and worker alike. */
export interface WebhookSettings {
  /** WEBHOOK_SECRETS_KEY: the first seals. Without one no webhook is made. */
  readonly keys: readonly SealingKey[];
  /** WEBHOOK_ALLOWED_NETWORKS. */
  readonly allowedNetworks: readonly string[];
}

/** Webhooks and what is delivered to them. Sending is the worker's: see WebhookSender. */
@Module({})
export class WebhooksModule {
  static forRoot({ keys, allowedNetworks }: WebhookSettings): DynamicModule {
    return {
      module: WebhooksModule,
      controllers: [WebhooksController],
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
      ],
    };
  }
}
