import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

/** A tenant was created. The slug is an identifier; the name stays in the tenant's row. */
export const tenantCreated = eventType('tenants.tenant.created', 1, z.object({ slug: z.string() }));
