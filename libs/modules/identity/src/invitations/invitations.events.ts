import { eventType, personal } from '@holdfast/tenancy';
import { z } from 'zod';

export const invitationCreated = eventType('identity.invitation.created', {
  version: 1,
  description: 'Somebody was invited.',
  schema: z.object({
    role: z.string(),
    expiresAt: z.string(),
    email: personal(z.string(), { subject: 'stream' }).optional(),
  }),
  example: {
    role: 'member',
    expiresAt: '2026-12-03T12:00:00.000Z',
    email: { commitment: 'Zk3q0Yb9n1cW2dT6hS8mXvP4jL7oA5rE_uIyGfKtB-Q' },
  },
});

export const invitationRevoked = eventType('identity.invitation.revoked', {
  version: 1,
  description: 'An invitation was taken back.',
  schema: z.object({}),
  example: {},
});

export const invitationAccepted = eventType('identity.invitation.accepted', {
  version: 1,
  description: 'An invitation has made a member.',
  schema: z.object({ memberId: z.string() }),
  example: { memberId: '019a0000-0000-7000-8000-000000000001' },
});
