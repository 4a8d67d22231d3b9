import { NotFound } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type ApiKeyMode, type ApiKeySecret, generateApiKey } from './api-key';
import { type ApiKeyView, showApiKey } from './api-key-view';
import {
  type ApiKeyRow,
  lockApiKey,
  markApiKeyRotated,
  refusingScopes,
  rotateCredential,
} from './api-keys.sql';
import { ApiKeyEnded } from './identity.errors';
import { apiKeyRotated } from './identity.events';

const DAY_SECONDS = 86_400;

/** What POST /v1/api-keys/{id}/rotate takes. */
export const rotateApiKeyInput = z.strictObject({
  overlapSeconds: z
    .int()
    .min(0)
    .max(7 * DAY_SECONDS)
    .default(DAY_SECONDS)
    .meta({ description: 'How long the secret before goes on working; by default a day.' }),
});

type Input = z.output<typeof rotateApiKeyInput> & { readonly id: string };

/**
 * Gives a key a fresh secret. The one before works until the overlap ends, and ends by itself; one that is older still
 * ends now.
 */
export class RotateApiKey extends TenantCommand<Input, ApiKeyView> {
  readonly scope = 'keys:write';

  /** Set by the handler, which knows the key's mode; beside the answer, because that is stored. Nothing in a replay. */
  issued: ApiKeySecret | undefined;

  /** The answer with the secret that was issued, or null where the answer is a replay. */
  withSecret(key: ApiKeyView): ApiKeyView & { readonly secret: string | null } {
    return { ...key, secret: this.idempotency?.replayed ? null : (this.issued?.text ?? null) };
  }
}

@CommandHandler(RotateApiKey)
export class RotateApiKeyHandler extends TenantCommandHandler<RotateApiKey> {
  protected async handle(tx: TenantTx, command: RotateApiKey): Promise<ApiKeyView> {
    const { input } = command;
    const key = await lockApiKey(tx, input.id);
    if (!key) throw new NotFound();
    const secret = (command.issued = generateApiKey(modeOf(key)));
    const previousEndsAt = await refusingScopes(() =>
      rotateCredential(tx, key.id, secret.hash, input.overlapSeconds),
    );
    if (!previousEndsAt) throw new ApiKeyEnded();
    const rotated = await markApiKeyRotated(tx, key, secret.prefix, previousEndsAt);
    await tx.announce(
      announcement(
        apiKeyRotated,
        { id: key.id, version: rotated.version },
        { prefix: secret.prefix, previousEndsAt: previousEndsAt.toISOString() },
      ),
    );
    return showApiKey(rotated);
  }
}

function modeOf({ prefix }: ApiKeyRow): ApiKeyMode {
  return prefix.startsWith('hf_test_') ? 'test' : 'live';
}
