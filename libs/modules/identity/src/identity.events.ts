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

/** An operator began to act for the tenant; who is the event's `act`. The reason stands in the access's row. */
export const supportAccessStarted = eventType(
  'identity.support_access.started',
  1,
  z.object({ memberId: z.guid().nullable(), scopes: z.array(z.string()), expiresAt: z.string() }),
);

/** A support access was ended before its time. One that lives out is announced by its start alone. */
export const supportAccessEnded = eventType('identity.support_access.ended', 1, z.object({}));

/**
 * A credential that was used before was used from addresses that it was not used from. The addresses themselves are
 * personal: they stand in the tenant's own rows, and here is one salted SHA-256 for each.
 */
export const credentialUsedFromNewAddress = eventType(
  'identity.credential.used_from_new_address',
  1,
  z.object({ credential: z.string(), commitments: z.array(z.string()) }),
);

/** A credential of the tenant was refused something, or refused altogether: how often, between when and when. */
export const accessRefused = eventType(
  'identity.access.refused',
  1,
  z.object({
    actor: z.string(),
    act: z.string().nullable(),
    code: z.string(),
    route: z.string(),
    count: z.int(),
    from: z.string(),
    to: z.string(),
  }),
);
