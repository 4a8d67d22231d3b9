import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

export const auditLogBroken = eventType('audit.log.broken', {
  version: 1,
  description:
    'A worker has verified the audit log and something does not hold: `kind` is what, `epoch` and `leaf` where, `eventId` the event ' +
    'that it is about, where there is one, and `found` says it in words. Announced once, until it is found no more.',
  schema: z.strictObject({
    kind: z.string(),
    epoch: z.int(),
    leaf: z.int().nullable(),
    eventId: z.guid().nullable(),
    found: z.string(),
  }),
  example: {
    kind: 'changed',
    epoch: 1,
    leaf: 137,
    eventId: '019a0000-0000-7000-8000-000000000001',
    found: 'the event was changed: data',
  },
});
