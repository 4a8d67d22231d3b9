import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

export const exportRequested = eventType('tenants.export.requested', {
  version: 1,
  description: 'Somebody wants everything that the tenant has.',
  schema: z.object({}),
  example: {},
});

export const exportCompleted = eventType('tenants.export.completed', {
  version: 1,
  description: 'The export can be downloaded. Its digest says what it holds.',
  schema: z.object({ sha256: z.string() }),
  example: { sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' },
});

export const exportFailed = eventType('tenants.export.failed', {
  version: 1,
  description: 'The export was given up.',
  schema: z.object({}),
  example: {},
});

export const exportExpired = eventType('tenants.export.expired', {
  version: 1,
  description: 'The files of the export were removed.',
  schema: z.object({}),
  example: {},
});
