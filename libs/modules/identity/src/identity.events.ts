import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

export const apiKeyCreated = eventType('identity.api_key.created', {
  version: 1,
  description:
    'A key was made. Its name stays in its row: names are personal values, which events never hold.',
  schema: z.object({ prefix: z.string(), scopes: z.array(z.string()), expiresAt: z.string().nullable() }),
  example: { prefix: 'hf_live_0000', scopes: ['ledger:read'], expiresAt: '2027-01-31T00:00:00.000Z' },
});

export const apiKeyRotated = eventType('identity.api_key.rotated', {
  version: 1,
  description: 'A key has a fresh secret; the one before it works until `previousEndsAt`.',
  schema: z.object({ prefix: z.string(), previousEndsAt: z.string() }),
  example: { prefix: 'hf_live_0000', previousEndsAt: '2026-12-01T12:00:00.000Z' },
});

export const apiKeyRevoked = eventType('identity.api_key.revoked', {
  version: 1,
  description: 'A key was ended; every process refuses all its secrets within five seconds.',
  schema: z.object({}),
  example: {},
});

export const supportAccessStarted = eventType('identity.support_access.started', {
  version: 1,
  description:
    'An operator began to act for the tenant; who is the event’s `act`. The reason stands in the ' +
    'access’s row.',
  schema: z.object({ memberId: z.guid().nullable(), scopes: z.array(z.string()), expiresAt: z.string() }),
  example: { memberId: null, scopes: ['ledger:read'], expiresAt: '2026-11-26T12:30:00.000Z' },
});

export const supportAccessEnded = eventType('identity.support_access.ended', {
  version: 1,
  description:
    'A support access was ended before its time. One that lives out is announced by its start alone.',
  schema: z.object({}),
  example: {},
});

export const credentialUsedFromNewAddress = eventType('identity.credential.used_from_new_address', {
  version: 1,
  description:
    'A credential that was used before was used from addresses that it was not used from. The ' +
    'addresses themselves are personal: they stand in the tenant’s own rows, and here is one salted ' +
    'SHA-256 for each.',
  schema: z.object({ credential: z.string(), commitments: z.array(z.string()) }),
  example: {
    credential: 'api_key:019a0000-0000-7000-8000-000000000001',
    commitments: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
  },
});

export const accessRefused = eventType('identity.access.refused', {
  version: 1,
  description:
    'A credential of the tenant was refused something, or refused altogether: how often, between when ' +
    'and when.',
  schema: z.object({
    actor: z.string(),
    act: z.string().nullable(),
    code: z.string(),
    route: z.string(),
    count: z.int(),
    from: z.string(),
    to: z.string(),
  }),
  example: {
    actor: 'api_key:019a0000-0000-7000-8000-000000000001',
    act: null,
    code: 'auth.forbidden',
    route: 'POST /v1/ledger/transfers',
    count: 3,
    from: '2026-11-26T12:00:00.000Z',
    to: '2026-11-26T12:04:10.000Z',
  },
});
