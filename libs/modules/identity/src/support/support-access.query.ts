import { NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { showSupportAccess, type SupportAccessView } from './support-access-view';
import type { SupportAccessRow } from './support-accesses.sql';

/** One support access of the tenant, over or not. */
export class SupportAccessById extends TenantQuery<{ readonly id: string }, SupportAccessView> {
  readonly scope = 'support:read';
}

const FIND = statement<SupportAccessRow>(
  'identity.find_support_access',
  `select id, operator, member_id, scopes, reason, started_at, expires_at, ended_at, ended_by
   from identity.support_accesses
   where tenant_id = $1 and id = $2`,
);

@QueryHandler(SupportAccessById)
export class SupportAccessByIdHandler implements IQueryHandler<SupportAccessById> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { id } }: SupportAccessById): Promise<SupportAccessView> {
    const [row] = await this.tenants.rows(caller, FIND, [caller.tenantId, id]);
    if (!row) throw new NotFound();
    return showSupportAccess(row);
  }
}
