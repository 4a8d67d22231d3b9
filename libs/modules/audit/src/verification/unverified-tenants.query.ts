import { statement, type SystemTx } from '@holdfast/database';

const LIST = statement<{ readonly tenantId: string }>(
  'audit.list_unverified_tenants',
  `select h.tenant_id as "tenantId"
   from events.heads h
   left join tenants.tasks k on k.tenant_id = h.tenant_id and k.kind = 'audit-verification' and k.id = h.tenant_id
   where k.tenant_id is null
   order by h.tenant_id
   limit $1`,
);

/** Tenants with events whose log nobody has been told to verify. */
export async function listUnverifiedTenants(tx: SystemTx, limit: number): Promise<string[]> {
  return (await tx.rows(LIST, [limit])).map(({ tenantId }) => tenantId);
}
