import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

/** A key was made. Its name stays in its row: names are personal values, which events never hold. */
export const apiKeyCreated = eventType(
  'identity.api_key.created',
  1,
  z.object({ prefix: z.string(), scopes: z.array(z.string()), expiresAt: z.string().nullable() }),
);

/** A key has a fresh secret; the one before it works until `previousEndsAt`. */
export const apiKeyRotated = eventType(
  'identity.api_key.rotated',
  1,
  z.object({ prefix: z.string(), previousEndsAt: z.string() }),
);

/** A key was ended; every process refuses all its secrets within five seconds. */
export const apiKeyRevoked = eventType('identity.api_key.revoked', 1, z.object({}));
