import { type Caller, instantSchema, newId } from '@holdfast/kernel';
import { type Idempotency, TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, requireQuota, settingsOf, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import type { ApiKeySecret } from './api-key';
import { type ApiKeyView, showApiKey } from './api-key-view';
import { COUNT_USABLE_API_KEYS, hasWayIn, insertApiKey, refusingScopes } from './api-keys.sql';
import { ReasonRequired } from './identity.errors';
import { apiKeyCreated } from './identity.events';
import { refuseLongLife } from './key-lifetime';
import { isOperator } from './operators';
import { reasonSchema } from './reason';
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

/** What the operator's route takes besides: why, where the tenant has a way in already. */
export const createApiKeyForTenantInput = createApiKeyInput.extend({ reason: reasonSchema.optional() });

type Input = z.output<typeof createApiKeyForTenantInput>;

/**
 * Makes an API key for the caller's tenant. The operator makes a tenant's first; for another one they give the tenant a reason. The secret is made outside and travels beside the input, because the answer
 * is stored with the idempotency key and the secret must not be.
 */
export class CreateApiKey extends TenantCommand<Input, ApiKeyView> {
  readonly scope = 'keys:write';

  constructor(
    caller: Caller,
    input: Input,
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
      reason: input.reason ?? null,
    };
    refuseLongLife(input.expiresAt ?? null, (await settingsOf(tx)).apiKeyLifetimeDaysMax);
    await requireQuota(tx, 'apiKeys', COUNT_USABLE_API_KEYS);
    // Behind the quota's lock: two first keys at once are a first and a second.
    if (input.reason === undefined && isOperator(tx.caller) && (await hasWayIn(tx)))
      throw new ReasonRequired();
    const row = await refusingScopes(() => insertApiKey(tx, key, secret.hash));
    const { prefix, scopes, expiresAt } = key;
    await tx.announce(
      announcement(apiKeyCreated, { id: key.id, version: 1n }, { prefix, scopes, expiresAt }),
    );
    return showApiKey(row);
  }
}
