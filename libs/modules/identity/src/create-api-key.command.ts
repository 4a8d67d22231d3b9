import { type Caller, instantSchema, newId } from '@holdfast/kernel';
import { type Idempotency, TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, requireQuota, settingsOf, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import type { ApiKeySecret } from './api-key';
import { type ApiKeyView, showApiKey } from './api-key-view';
import { COUNT_USABLE_API_KEYS, insertApiKey, refusingScopes } from './api-keys.sql';
import { apiKeyCreated } from './identity.events';
import { refuseLongLife } from './key-lifetime';
import { scopeSchema } from './scopes';

/** What POST /v1/api-keys takes. */
export const createApiKeyInput = z.strictObject({
  name: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .meta({ description: 'What the key is for.', examples: ['billing service'] }),
  scopes: z
    .array(scopeSchema)
    .min(1)
    .max(50)
    .meta({ description: 'What the key may do; at most what its maker may.' }),
  expiresAt: instantSchema
    .refine((text) => Date.parse(text) > Date.now(), 'A key ends in the future.')
    .nullish()
    .meta({ description: 'When the key ends by itself; null for never.' }),
});

/**
 * Makes an API key for the caller's tenant. The secret is made outside and travels beside the input, because the answer
 * is stored with the idempotency key and the secret must not be.
 */
export class CreateApiKey extends TenantCommand<z.output<typeof createApiKeyInput>, ApiKeyView> {
  readonly scope = 'keys:write';

  constructor(
    caller: Caller,
    input: z.output<typeof createApiKeyInput>,
    readonly secret: ApiKeySecret,
    idempotency?: Idempotency,
  ) {
    super(caller, input, idempotency);
  }
}

@CommandHandler(CreateApiKey)
export class CreateApiKeyHandler extends TenantCommandHandler<CreateApiKey> {
  protected async handle(tx: TenantTx, { input, secret }: CreateApiKey): Promise<ApiKeyView> {
    const key = {
      id: newId(),
      name: input.name,
      prefix: secret.prefix,
      scopes: input.scopes,
      expiresAt: input.expiresAt ?? null,
    };
    refuseLongLife(input.expiresAt ?? null, (await settingsOf(tx)).apiKeyLifetimeDaysMax);
    await requireQuota(tx, 'apiKeys', COUNT_USABLE_API_KEYS);
    const row = await refusingScopes(() => insertApiKey(tx, key, secret.hash));
    const { prefix, scopes, expiresAt } = key;
    await tx.announce(
      announcement(apiKeyCreated, { id: key.id, version: 1n }, { prefix, scopes, expiresAt }),
    );
    return showApiKey(row);
  }
}
