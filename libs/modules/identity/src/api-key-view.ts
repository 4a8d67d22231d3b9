import { idSchema } from '@holdfast/kernel';
import { z } from 'zod';
import type { ApiKeyRow } from './api-keys.sql';

/** A key on the wire. */
export const apiKeyView = z.object({
  id: idSchema,
  name: z.string(),
  prefix: z.string().meta({ description: 'The first characters of the secret.' }),
  scopes: z.array(z.string()),
  createdBy: z.string().meta({ description: 'The actor that made the key.' }),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().nullable(),
  revokedAt: z.iso.datetime().nullable(),
  lastUsedAt: z.iso
    .datetime()
    .nullable()
    .meta({ description: 'When the key was last used, to the minute; null for never.' }),
  lastUsedFrom: z
    .string()
    .nullable()
    .meta({ description: 'The address that it was last used from, of an IPv6 address the network.' }),
  rotatedAt: z.iso.datetime().nullable().meta({ description: 'When the key was given its newest secret.' }),
  previousSecretEndsAt: z.iso
    .datetime()
    .nullable()
    .meta({ description: 'Until when the secret before that goes on working, or went on.' }),
  reason: z.string().nullable().meta({
    description: 'Why the operator made the key, where the tenant had a way in already.',
  }),
});

/** A key just made: the one time that its secret is shown. A replay of the request answers null in its place. */
export const createdApiKeyView = apiKeyView.extend({ secret: z.string().nullable() });

/** A key on the wire. */
export type ApiKeyView = z.output<typeof apiKeyView>;

/** Shows a row. */
export function showApiKey(row: ApiKeyRow): ApiKeyView {
  return {
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    scopes: row.scopes,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    revokedAt: row.revoked_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
    lastUsedFrom: row.last_address,
    rotatedAt: row.rotated_at?.toISOString() ?? null,
    previousSecretEndsAt: row.previous_ends_at?.toISOString() ?? null,
    reason: row.reason,
  };
}
