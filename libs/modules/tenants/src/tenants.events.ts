import { tenantSettingsChange } from '@holdfast/kernel';
import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

/** A tenant was created. The slug is an identifier; the name stays in the tenant's row. */
export const tenantCreated = eventType('tenants.tenant.created', 1, z.object({ slug: z.string() }));

/** The operator has suspended the tenant. Why is free text and stays in the tenant's row. */
export const tenantSuspended = eventType('tenants.tenant.suspended', 1, z.object({}));

/** The operator has opened the tenant again. */
export const tenantResumed = eventType('tenants.tenant.resumed', 1, z.object({}));

/** The operator has put the tenant on another plan. */
export const tenantPlanChanged = eventType('tenants.tenant.plan_changed', 1, z.object({ plan: z.string() }));

/** The tenant has changed its name, which stays in its row, or settings, which are listed with their new values. */
export const tenantChanged = eventType(
  'tenants.tenant.changed',
  1,
  z.object({ isRenamed: z.boolean(), settings: tenantSettingsChange }),
);

/** The operator has ordered the erasure of the tenant, for the time given at the earliest. Resuming takes it back. */
export const tenantErasureRequested = eventType(
  'tenants.tenant.erasure_requested',
  1,
  z.object({ dueAt: z.string() }),
);

/** The tenant was filled from the export with this digest. The events that it holds stand before this one. */
export const tenantImported = eventType('tenants.tenant.imported', 1, z.object({ sha256: z.string() }));
