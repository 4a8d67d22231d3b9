import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

const FIND = statement<{ readonly id: string; readonly name: string; readonly state: string }>(
  'sagas.find_open',
  `select id, name, state
   from sagas.sagas
   where tenant_id = $1 and ended_at is null
   order by id
   limit 1`,
);

/** Why the tenant cannot be erased: a saga of it that has not ended, and may have done something in other tenants. */
export async function findOpenSaga(tx: TenantTx): Promise<string | undefined> {
  const open = await tx.row(FIND, [tx.tenantId]);
  return open && `saga ${open.id} of ${open.name} is ${open.state}`;
}
