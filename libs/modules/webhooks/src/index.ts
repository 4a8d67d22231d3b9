export { CreateWebhook, createWebhookInput } from './endpoints/create-webhook.command';
export { COUNT_WEBHOOKS } from './endpoints/webhooks.sql';
export { type WebhookSenderOptions } from './sending/webhook-sender';
export { WebhookDelivery } from './webhook-delivery';
export { type WebhookSettings } from './webhook-settings';
export { WebhooksModule } from './webhooks.module';
