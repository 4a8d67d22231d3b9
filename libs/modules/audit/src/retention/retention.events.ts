import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

export const auditRetentionChanged = eventType('audit.retention.changed', {
  version: 1,
  description: 'Events are kept for so many days from here on; null: for ever.',
  schema: z.object({ keepDays: z.int().nullable() }),
  example: { keepDays: 365 },
});

export const auditLogPruned = eventType('audit.log.pruned', {
  version: 1,
  description:
    'The retention removes rows of events whose leaves in `epoch` are below `prunedTo`. `size` and `root` (base64) are those of a ' +
    'checkpoint over them: the leaves stay, and every proof of them holds. `tenantId` is whose log that is, which an export takes ' +
    'to another tenant.',
  schema: z.strictObject({
    tenantId: z.string().optional(),
    epoch: z.int(),
    prunedTo: z.string(),
    size: z.string(),
    root: z.string(),
  }),
  example: {
    tenantId: '019a0000-0000-7000-8000-000000000001',
    epoch: 1,
    prunedTo: '4096',
    size: '9000',
    root: 'n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=',
  },
});
