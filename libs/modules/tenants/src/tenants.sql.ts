import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { TenantRow } from './tenant-view';

const INSERT = statement<TenantRow>(
  'tenants.insert_tenant',
  `insert into tenants.tenants (tenant_id, slug, name)
   values ($1, $2, $3)
   returning tenant_id, slug, name, created_at`,
);

/** Stores the tenant that the transaction is for. */
export async function insertTenant(tx: TenantTx, slug: string, name: string): Promise<TenantRow> {
  const row = await tx.row(INSERT, [tx.tenantId, slug, name]);
  if (!row) throw new Error('the insert of a tenant returned nothing');
  return row;
}
