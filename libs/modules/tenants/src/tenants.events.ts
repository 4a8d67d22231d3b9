import { tenantSettingsChange } from '@holdfast/kernel';
import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

/** Announced by whoever founds a tenant: its first event. */
export const tenantCreated = eventType('tenants.tenant.created', {
  version: 1,
  description: 'A tenant was created. The slug is an identifier; the name stays in the tenant’s row.',
  schema: z.object({ slug: z.string() }),
  example: { slug: 'acme' },
});

export const tenantSuspended = eventType('tenants.tenant.suspended', {
  version: 1,
  description: 'The operator has suspended the tenant. Why is free text and stays in the tenant’s row.',
  schema: z.object({}),
  example: {},
});

export const tenantResumed = eventType('tenants.tenant.resumed', {
  version: 1,
  description: 'The operator has opened the tenant again.',
  schema: z.object({}),
  example: {},
});

export const tenantPlanChanged = eventType('tenants.tenant.plan_changed', {
  version: 1,
  description: 'The operator has put the tenant on another plan.',
  schema: z.object({ plan: z.string() }),
  example: { plan: 'enterprise' },
});

export const tenantChanged = eventType('tenants.tenant.changed', {
  version: 1,
  description:
    'The tenant has changed its name, which stays in its row, or settings, which are listed with ' +
    'their new values.',
  schema: z.object({ isRenamed: z.boolean(), settings: tenantSettingsChange }),
  example: { isRenamed: false, settings: { timeZone: 'Europe/Vienna' } },
});

export const tenantErasureRequested = eventType('tenants.tenant.erasure_requested', {
  version: 1,
  description:
    'The operator has ordered the erasure of the tenant, for the time given at the earliest. Resuming ' +
    'takes it back.',
  schema: z.object({ dueAt: z.string() }),
  example: { dueAt: '2026-12-26T12:00:00.000Z' },
});

export const tenantImported = eventType('tenants.tenant.imported', {
  version: 1,
  description:
    'The tenant was filled from the export with this digest. The events that it holds stand before ' +
    'this one.',
  schema: z.object({ sha256: z.string() }),
  example: { sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' },
});
