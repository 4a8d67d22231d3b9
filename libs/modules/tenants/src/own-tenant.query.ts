import { NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { showTenant, type TenantRow, type TenantView } from './tenant-view';

/** The caller's own tenant. */
export class OwnTenant extends TenantQuery<Record<string, never>, TenantView> {
  readonly scope = 'tenant:read';
}

const GET = statement<TenantRow>(
  'tenants.get_own_tenant',
  `select t.tenant_id, t.slug, t.name, own.state, own.plan, t.version, t.settings, t.state_reason, t.created_at,
     t.erase_requested_at, t.erase_after, t.erase_postponed
   from tenants.tenants t
   cross join auth.own_tenant() own
   where t.tenant_id = $1`,
);

@QueryHandler(OwnTenant)
export class OwnTenantHandler implements IQueryHandler<OwnTenant> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller }: OwnTenant): Promise<TenantView> {
    const [row] = await this.tenants.rows(caller, GET, [caller.tenantId]);
    if (!row) throw new NotFound();
    return showTenant(row);
  }
}
