import { eventType, personal } from '@holdfast/tenancy';
import { z } from 'zod';

/** What a member is called. The member's id is their stream's: erasing it takes all of this away. */
const called = {
  email: personal(z.string(), { subject: 'stream' }).optional(),
  displayName: personal(z.string(), { subject: 'stream' }).optional(),
};
const commitment = 'Zk3q0Yb9n1cW2dT6hS8mXvP4jL7oA5rE_uIyGfKtB-Q';

export const memberAdded = eventType('identity.member.added', {
  version: 1,
  description: 'Somebody became a member. `role` is that of a built-in role or the id of the tenant’s own.',
  schema: z.object({ role: z.string(), source: z.string(), ...called }),
  example: { role: 'member', source: 'invitation', email: { commitment } },
});

export const memberChanged = eventType('identity.member.changed', {
  version: 1,
  description: 'A member’s role was changed, or only what they are called (then `role` is as it was).',
  schema: z.object({ role: z.string(), ...called }),
  example: { role: 'admin', email: { commitment }, displayName: { commitment } },
});

export const memberRemoved = eventType('identity.member.removed', {
  version: 1,
  description: 'A membership has ended; every process refuses the person within five seconds.',
  schema: z.object({}),
  example: {},
});

const rolePermissions = z.object({ permissions: z.array(z.string()) });

export const memberSignedIn = eventType('identity.member.signed_in', {
  version: 1,
  description: 'A member used a token that is new here: once a token, and at most once in five minutes.',
  schema: z.object({}),
  example: {},
});

export const roleCreated = eventType('identity.role.created', {
  version: 1,
  description: 'The tenant defined a role.',
  schema: rolePermissions,
  example: { permissions: ['ledger:read', 'audit:read'] },
});

export const roleChanged = eventType('identity.role.changed', {
  version: 1,
  description: 'A role was changed, and with it what its holders may do.',
  schema: rolePermissions,
  example: { permissions: ['ledger:read'] },
});

export const roleRemoved = eventType('identity.role.removed', {
  version: 1,
  description: 'A role that nobody held is gone.',
  schema: z.object({}),
  example: {},
});
