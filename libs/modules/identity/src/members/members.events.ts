import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

/** Somebody became a member. `role` is that of a built-in role or the id of the tenant's own. */
export const memberAdded = eventType(
  'identity.member.added',
  1,
  z.object({ role: z.string(), source: z.string() }),
);

/** A member's role was changed, or only what they are called (then `role` is as it was). */
export const memberChanged = eventType('identity.member.changed', 1, z.object({ role: z.string() }));

/** A membership has ended; every process refuses the person within five seconds. */
export const memberRemoved = eventType('identity.member.removed', 1, z.object({}));

const rolePermissions = z.object({ permissions: z.array(z.string()) });

/** A member used a token that is new here: once a token, and at most once in five minutes. */
export const memberSignedIn = eventType('identity.member.signed_in', 1, z.object({}));

/** The tenant defined a role. */
export const roleCreated = eventType('identity.role.created', 1, rolePermissions);

/** A role was changed, and with it what its holders may do. */
export const roleChanged = eventType('identity.role.changed', 1, rolePermissions);

/** A role that nobody held is gone. */
export const roleRemoved = eventType('identity.role.removed', 1, z.object({}));
