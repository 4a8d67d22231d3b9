import { idSchema } from '@holdfast/kernel';
import { z } from 'zod';

/** A tenant on the wire. */
export const tenantView = z.object({
  id: idSchema,
  slug: z.string(),
  name: z.string(),
  createdAt: z.iso.datetime(),
});

/** A tenant on the wire. */
export type TenantView = z.output<typeof tenantView>;

/** A row of tenants.tenants. */
export interface TenantRow {
  readonly tenant_id: string;
  readonly slug: string;
  readonly name: string;
  readonly created_at: Date;
}

/** Shows a row. */
export function showTenant(row: TenantRow): TenantView {
  return { id: row.tenant_id, slug: row.slug, name: row.name, createdAt: row.created_at.toISOString() };
}
