import { idSchema, InvalidInput } from '@holdfast/kernel';
import { type AddressPolicy, URL_FAULTS } from '@holdfast/outgoing';
import { z } from 'zod';
import { SIGNING_SCHEMES, type SigningScheme } from '../secrets/signing-secret';
import { eventPattern } from './event-pattern';

/** Why a webhook is off. */
export const DISABLED_REASONS = ['tenant', 'gone', 'failing'] as const;

/** Why a webhook is off. */
export type DisabledReason = (typeof DISABLED_REASONS)[number];

/** A secret of a webhook, as far as it is shown. */
export interface SecretRow {
  readonly id: string;
  readonly scheme: SigningScheme;
  readonly publicKey: string | null;
  readonly createdAt: string;
  readonly endsAt: string | null;
}

/** A row of webhooks.endpoints with the secrets that sign. */
export interface WebhookRow {
  readonly id: string;
  readonly url: string;
  readonly description: string;
  readonly event_types: string[];
  readonly signing: SigningScheme;
  readonly disabled_at: Date | null;
  readonly disabled_reason: DisabledReason | null;
  readonly failing_since: Date | null;
  readonly created_by: string;
  readonly created_at: Date;
  readonly version: bigint;
  readonly secrets: readonly SecretRow[];
}

/** How a webhook's deliveries are signed. */
export const signingSchema = z.enum(SIGNING_SCHEMES).meta({
  description:
    'How deliveries are signed: with a shared secret (v1), or with a key whose public half is shown (v1a).',
});

/** What people write down about a webhook. */
export const webhookContent = {
  url: z
    .url()
    .max(2_000)
    .meta({
      description: 'Where events are posted to: https, and a public address.',
      examples: ['https://example.com/webhooks'],
    }),
  description: z
    .string()
    .trim()
    .max(500)
    .regex(/^\P{Cc}*$/u, 'Control characters are not allowed.')
    .meta({ description: 'What it is for.', examples: ['billing'] }),
  eventTypes: z
    .array(eventPattern)
    .min(1)
    .max(50)
    .meta({ description: 'Types of events, prefixes such as `ledger.*`, or `*` for all.' }),
};

/** A secret on the wire. The secret itself is not in it. */
export const secretView = z.object({
  id: idSchema,
  signing: z.enum(SIGNING_SCHEMES),
  publicKey: z
    .string()
    .nullable()
    .meta({ description: '`whpk_…` of ed25519, to verify `v1a` signatures by.' }),
  createdAt: z.iso.datetime(),
  endsAt: z.iso
    .datetime()
    .nullable()
    .meta({ description: 'Until when it signs as well; null for the newest.' }),
});

/** A webhook on the wire. */
export const webhookView = z.object({
  id: idSchema,
  url: z.string(),
  description: z.string(),
  eventTypes: z.array(z.string()),
  signing: z.enum(SIGNING_SCHEMES),
  enabled: z.boolean(),
  disabledReason: z.enum(DISABLED_REASONS).nullable().meta({
    description: 'By the tenant; by an answer 410; or because nothing but failures came of it for days.',
  }),
  disabledAt: z.iso.datetime().nullable(),
  failingSince: z.iso.datetime().nullable().meta({ description: 'Since when every attempt has failed.' }),
  secrets: z.array(secretView).meta({
    description: 'What signs, the newest first. None after an import: nothing is sent until one is made.',
  }),
  createdBy: z.string(),
  createdAt: z.iso.datetime(),
  version: z.string().meta({ description: 'A whole number; also the ETag.' }),
});

/** A webhook whose secret is shown, this once. A replay of the request answers null in its place. */
export const webhookWithSecretView = webhookView.extend({
  secret: z.string().nullable().meta({
    description: '`whsec_…`, which the receiver verifies by. Null of ed25519: take the public key.',
  }),
});

/** A webhook on the wire. */
export type WebhookView = z.output<typeof webhookView>;

/** A webhook with its fresh secret. */
export type WebhookWithSecretView = z.output<typeof webhookWithSecretView>;

/** Shows a row. */
export function showWebhook(row: WebhookRow): WebhookView {
  return {
    id: row.id,
    url: row.url,
    description: row.description,
    eventTypes: row.event_types,
    signing: row.signing,
    enabled: row.disabled_at === null,
    disabledReason: row.disabled_reason,
    disabledAt: row.disabled_at?.toISOString() ?? null,
    failingSince: row.failing_since?.toISOString() ?? null,
    secrets: row.secrets.map(showSecret),
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    version: row.version.toString(),
  };
}

function showSecret({ id, scheme, publicKey, createdAt, endsAt }: SecretRow): z.output<typeof secretView> {
  return {
    id,
    signing: scheme,
    publicKey,
    createdAt: new Date(createdAt).toISOString(),
    endsAt: endsAt === null ? null : new Date(endsAt).toISOString(),
  };
}

/** Refuses an address that could never be delivered to. Throws InvalidInput with code `webhooks.url_not_allowed`. */
export function requireDeliverable(policy: AddressPolicy, url: string): void {
  const fault = policy.faultOf(url);
  if (!fault) return;
  throw new InvalidInput([{ pointer: '/url', code: 'webhooks.url_not_allowed', message: URL_FAULTS[fault] }]);
}
