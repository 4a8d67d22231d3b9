export { COUNT_WEBHOOKS } from './endpoints/webhooks.sql';
export { WebhooksModule, type WebhookSettings } from './webhooks.module';
