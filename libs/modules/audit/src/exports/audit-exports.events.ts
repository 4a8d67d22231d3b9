import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

export const auditExportRequested = eventType('audit.export.requested', {
  version: 1,
  description: 'Somebody wants a copy of the audit trail.',
  schema: z.object({ format: z.enum(['ndjson', 'csv', 'bundle']) }),
  example: { format: 'csv' },
});

export const auditExportCompleted = eventType('audit.export.completed', {
  version: 1,
  description: 'The copy of the trail can be downloaded. Its digest says what it holds.',
  schema: z.object({ sha256: z.string() }),
  example: { sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' },
});

export const auditExportFailed = eventType('audit.export.failed', {
  version: 1,
  description: 'The copy of the trail was given up.',
  schema: z.object({}),
  example: {},
});

export const auditExportExpired = eventType('audit.export.expired', {
  version: 1,
  description: 'The copy of the trail was removed.',
  schema: z.object({}),
  example: {},
});
