import { DomainError } from '@holdfast/kernel';

/** This installation has no key to seal secrets with, so there is nothing that a delivery could be signed with. */
export class WebhooksNotConfigured extends DomainError {
  readonly code = 'webhooks.not_configured';
  readonly kind = 'refused';

  constructor() {
    super('This installation sends no webhooks: its operator has set no WEBHOOK_SECRETS_KEY.');
  }
}

/** The webhook is switched off, so nothing is sent to it. */
export class WebhookDisabled extends DomainError {
  readonly code = 'webhooks.disabled';
  readonly kind = 'refused';

  constructor() {
    super('This webhook is disabled. Enable it first.');
  }
}

/** The webhook came with an import, which carries no secrets. */
export class WebhookWithoutSecret extends DomainError {
  readonly code = 'webhooks.no_secret';
  readonly kind = 'refused';

  constructor() {
    super('This webhook has no secret to sign with. Give it one first.');
  }
}
