import type { DomainError } from '@holdfast/kernel';
import { violates } from '@holdfast/database';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import type { TenantRow } from './tenant-view';
import { SlugTaken } from './tenants.errors';
import { tenantCreated } from './tenants.events';
import { insertTenant } from './tenants.sql';

/**
 * Stores and announces the tenant that the transaction is for: the one way in which a tenant begins. Throws SlugTaken, and
 * `exists()` when there is a tenant of this id already.
 */
export async function foundTenant(
  tx: TenantTx,
  { slug, name }: { readonly slug: string; readonly name: string },
  exists: () => DomainError,
): Promise<TenantRow> {
  try {
    const row = await insertTenant(tx, slug, name);
    await tx.announce(announcement(tenantCreated, { id: tx.tenantId, version: 1n }, { slug }));
    return row;
  } catch (error) {
    if (violates(error, 'tenants_pkey')) throw exists();
    throw violates(error, 'tenants_slug_key') ? new SlugTaken() : error;
  }
}
