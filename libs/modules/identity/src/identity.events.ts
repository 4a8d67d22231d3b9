import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

/** A key was made. Its name stays in its row: names are personal values, which events never hold. */
export const apiKeyCreated = eventType(
  'identity.api_key.created',
  1,
  z.object({ prefix: z.string(), scopes: z.array(z.string()), expiresAt: z.string().nullable() }),
);

/** A key was ended; every process refuses it within five seconds. */
export const apiKeyRevoked = eventType('identity.api_key.revoked', 1, z.object({}));
