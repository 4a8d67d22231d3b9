import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

/** Somebody was invited. Whom stands in the row. */
export const invitationCreated = eventType(
  'identity.invitation.created',
  1,
  z.object({ role: z.string(), expiresAt: z.string() }),
);

/** An invitation was taken back. */
export const invitationRevoked = eventType('identity.invitation.revoked', 1, z.object({}));

/** An invitation has made a member. */
export const invitationAccepted = eventType(
  'identity.invitation.accepted',
  1,
  z.object({ memberId: z.string() }),
);
