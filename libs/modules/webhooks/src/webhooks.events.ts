import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

export const webhookCreated = eventType('webhooks.endpoint.created', {
  version: 1,
  description:
    'A webhook was made. Its address and what it wants stand in its row: an address can hold a secret, and the ' +
    'log is for ever.',
  schema: z.object({}),
  example: {},
});

export const webhookChanged = eventType('webhooks.endpoint.changed', {
  version: 1,
  description: 'Address, description or wanted types of a webhook were changed.',
  schema: z.object({}),
  example: {},
});

export const webhookEnabled = eventType('webhooks.endpoint.enabled', {
  version: 1,
  description: 'A webhook was switched on.',
  schema: z.object({}),
  example: {},
});

export const webhookDisabled = eventType('webhooks.endpoint.disabled', {
  version: 1,
  description:
    'A webhook was switched off: by the tenant, by a receiver that has answered 410 (`gone`), or because for ' +
    'days nothing but failures came of it (`failing`).',
  schema: z.object({ reason: z.enum(['tenant', 'gone', 'failing']) }),
  example: { reason: 'gone' },
});

export const webhookSecretRotated = eventType('webhooks.endpoint.secret_rotated', {
  version: 1,
  description:
    'A webhook has a fresh secret; the one before it signs as well until `previousEndsAt`, null where there was none.',
  schema: z.object({ secretId: z.guid(), previousEndsAt: z.string().nullable() }),
  example: {
    secretId: '019a0000-0000-7000-8000-000000000001',
    previousEndsAt: '2026-12-01T12:00:00.000Z',
  },
});

export const webhookRemoved = eventType('webhooks.endpoint.removed', {
  version: 1,
  description: 'A webhook was removed, with all that was delivered to it.',
  schema: z.object({}),
  example: {},
});

export const webhookTested = eventType('webhooks.endpoint.tested', {
  version: 1,
  description:
    'Somebody wanted to see what a webhook does with an event. It is sent to that webhook alone and is in no log.',
  schema: z.object({}),
  example: {},
});
