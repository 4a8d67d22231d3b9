import type { SealingKey } from '@holdfast/vault';

/** What the configuration says of webhooks, to API and worker alike. */
export interface WebhookSettings {
  /** WEBHOOK_SECRETS_KEY: the first seals, all open. Without one no webhook is made, and nothing is sent. */
  readonly keys: readonly SealingKey[];
  /** WEBHOOK_ALLOWED_NETWORKS: what is not public and may receive all the same. */
  readonly allowedNetworks: readonly string[];
}
