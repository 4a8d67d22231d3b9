import { type Caller, instantSchema, newId, type TenantSettings } from '@holdfast/kernel';
import { type Idempotency, TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, requireQuota, settingsOf, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import type { ApiKeySecret } from './api-key';
import { type ApiKeyView, showApiKey } from './api-key-view';
import { COUNT_USABLE_API_KEYS, hasWayIn, insertApiKey, refusingScopes } from './api-keys.sql';
import { ReasonRequired, SupportNotAllowed } from './identity.errors';
import { apiKeyCreated } from './identity.events';
import { DAY_MS, refuseLongLife } from './key-lifetime';
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
    .meta({
      description: 'When the key ends by itself; null for never.',
      examples: ['2100-01-01T00:00:00Z'],
    }),
});

/** What the operator's route takes besides: why, where the tenant has a way in already. */
export const createApiKeyForTenantInput = createApiKeyInput.extend({ reason: reasonSchema.optional() });

type Input = z.output<typeof createApiKeyForTenantInput>;

/**
 * Makes an API key for the caller's tenant. The secret is made outside and travels beside the input, because the answer is
 * stored with the idempotency key and the secret must not be.
 *
 * The operator makes a tenant's first key. Another one is support by other means: the tenant has to allow it and reads the
 * reason, it ends within 30 days, and the database puts the operator's name beside whatever is done with it.
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
    const settings = await settingsOf(tx);
    await requireQuota(tx, 'apiKeys', COUNT_USABLE_API_KEYS);
    // Behind the quota's lock: two first keys at once are a first and a second.
    const isOperators = isOperator(tx.caller) && (await hasWayIn(tx));
    const expiresAt = isOperators ? endOfOperatorsKey(input, settings) : (input.expiresAt ?? null);
    refuseLongLife(expiresAt, settings.apiKeyLifetimeDaysMax);
    const { name, scopes, reason = null } = input;
    const { prefix, hash } = secret;
    const id = newId();
    const row = await refusingScopes(() =>
      insertApiKey(tx, { id, name, prefix, scopes, expiresAt, reason }, hash),
    );
    await tx.announce(announcement(apiKeyCreated, { id, version: 1n }, { prefix, scopes, expiresAt }));
    return showApiKey(row);
  }
}

const OPERATORS_DAYS_MAX = 30;

function endOfOperatorsKey({ reason, expiresAt }: Input, settings: TenantSettings): string {
  if (!settings.supportAccessAllowed) throw new SupportNotAllowed();
  if (reason === undefined) throw new ReasonRequired();
  const days = Math.min(OPERATORS_DAYS_MAX, settings.apiKeyLifetimeDaysMax ?? OPERATORS_DAYS_MAX);
  const ends = expiresAt ?? new Date(Date.now() + days * DAY_MS).toISOString();
  refuseLongLife(ends, OPERATORS_DAYS_MAX);
  return ends;
}
