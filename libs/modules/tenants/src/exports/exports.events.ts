import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

/** Somebody wants everything that the tenant has. */
export const exportRequested = eventType('tenants.export.requested', 1, z.object({}));

/** The export can be downloaded. Its digest says what it holds. */
export const exportCompleted = eventType('tenants.export.completed', 1, z.object({ sha256: z.string() }));

/** The export was given up. */
export const exportFailed = eventType('tenants.export.failed', 1, z.object({}));

/** The files of the export were removed. */
export const exportExpired = eventType('tenants.export.expired', 1, z.object({}));
