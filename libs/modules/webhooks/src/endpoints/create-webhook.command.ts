import { newId } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { AddressPolicy } from '@holdfast/outgoing';
import { announcement, requireQuota, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { SecretKeyring } from '../secrets/secret-keyring';
import { generateSigningSecret } from '../secrets/signing-secret';
import { webhookCreated } from '../webhooks.events';
import {
  requireDeliverable,
  showWebhook,
  signingSchema,
  webhookContent,
  type WebhookView,
  type WebhookWithSecretView,
} from './webhook';
import { COUNT_WEBHOOKS, getWebhook, insertSecret, insertWebhook } from './webhooks.sql';

/** What POST /v1/webhooks takes. */
export const createWebhookInput = z.strictObject({
  url: webhookContent.url,
  description: webhookContent.description.default(''),
  eventTypes: webhookContent.eventTypes.default(['*']),
  signing: signingSchema.default('hmac-sha256'),
});

/**
 * Makes a webhook, which gets the events that occur from here on. The secret stands beside the answer, because that is
 * stored with the idempotency key and the secret must not be.
 */
export class CreateWebhook extends TenantCommand<z.output<typeof createWebhookInput>, WebhookView> {
  readonly scope = 'webhooks:write';

  /** Set by the handler. */
  issued: string | null = null;

  /** The answer with the secret, or null in its place where the answer is a replay. */
  withSecret(webhook: WebhookView): WebhookWithSecretView {
    return { ...webhook, secret: this.idempotency?.replayed ? null : this.issued };
  }
}

@CommandHandler(CreateWebhook)
export class CreateWebhookHandler extends TenantCommandHandler<CreateWebhook> {
  constructor(
    private readonly keyring: SecretKeyring,
    private readonly policy: AddressPolicy,
  ) {
    super();
  }

  protected async handle(tx: TenantTx, command: CreateWebhook): Promise<WebhookView> {
    const { input } = command;
    requireDeliverable(this.policy, input.url);
    const [id, secretId] = [newId(), newId()];
    const secret = generateSigningSecret(input.signing);
    const sealed = this.keyring.seal(secret.bytes, tx.tenantId, secretId);
    await requireQuota(tx, 'webhooks', COUNT_WEBHOOKS);
    await insertWebhook(tx, { id, ...input });
    await insertSecret(tx, { id: secretId, endpointId: id, ...secret }, sealed);
    await tx.announce(announcement(webhookCreated, { id, version: 1n }, {}));
    command.issued = secret.shown;
    return showWebhook(await getWebhook(tx, id));
  }
}
