import { newId } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { SecretKeyring } from '../secrets/secret-keyring';
import { generateSigningSecret } from '../secrets/signing-secret';
import { webhookSecretRotated } from '../webhooks.events';
import { showWebhook, signingSchema, type WebhookView, type WebhookWithSecretView } from './webhook';
import { endSecrets, getWebhook, insertSecret, lockWebhook, noteSecretRotated } from './webhooks.sql';

const DAY_SECONDS = 86_400;

/** What POST /v1/webhooks/{id}/secrets takes. */
export const rotateWebhookSecretInput = z.strictObject({
  overlapSeconds: z
    .int()
    .min(0)
    .max(7 * DAY_SECONDS)
    .default(DAY_SECONDS)
    .meta({ description: 'How long the secret before goes on signing as well; by default a day.' }),
  signing: signingSchema.optional(),
});

type Input = z.output<typeof rotateWebhookSecretInput> & { readonly id: string };

/**
 * Gives a webhook a fresh secret. The one before signs beside it until the overlap ends, so that a receiver verifies by
 * either; one that is older still ends at once.
 */
export class RotateWebhookSecret extends TenantCommand<Input, WebhookView> {
  readonly scope = 'webhooks:write';

  /** Set by the handler; beside the answer, because that is stored. */
  issued: string | null = null;

  /** The answer with the secret, or null in its place where the answer is a replay. */
  withSecret(webhook: WebhookView): WebhookWithSecretView {
    return { ...webhook, secret: this.idempotency?.replayed ? null : this.issued };
  }
}

@CommandHandler(RotateWebhookSecret)
export class RotateWebhookSecretHandler extends TenantCommandHandler<RotateWebhookSecret> {
  constructor(private readonly keyring: SecretKeyring) {
    super();
  }

  protected async handle(tx: TenantTx, command: RotateWebhookSecret): Promise<WebhookView> {
    const { id, overlapSeconds, ...input } = command.input;
    const { signing } = await lockWebhook(tx, id);
    const secretId = newId();
    const secret = generateSigningSecret(input.signing ?? signing);
    const sealed = this.keyring.seal(secret.bytes, tx.tenantId, secretId);
    const endsAt = await endSecrets(tx, id, overlapSeconds);
    await insertSecret(tx, { id: secretId, endpointId: id, ...secret }, sealed);
    const version = await noteSecretRotated(tx, id, secret.scheme, endsAt === undefined);
    const previousEndsAt = endsAt?.toISOString() ?? null;
    await tx.announce(announcement(webhookSecretRotated, { id, version }, { secretId, previousEndsAt }));
    command.issued = secret.shown;
    return showWebhook(await getWebhook(tx, id));
  }
}
