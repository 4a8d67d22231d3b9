import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { showSupportAccess, type SupportAccessView } from './support-access-view';
import type { SupportAccessRow } from './support-accesses.sql';

/** What GET /v1/support-accesses takes. */
export const supportAccessesInput = z.strictObject({ ...pageInput });

/** When and why the operator acted for the tenant, newest first. */
export class SupportAccesses extends TenantQuery<
  z.output<typeof supportAccessesInput>,
  Page<SupportAccessView>
> {
  readonly scope = 'support:read';
}

const LIST = statement<SupportAccessRow>(
  'identity.list_support_accesses',
  `select id, operator, member_id, scopes, reason, started_at, expires_at, ended_at, ended_by
   from identity.support_accesses
   where tenant_id = $1 and ($2::uuid is null or id < $2)
   order by id desc
   limit $3`,
);

const cursors = new Cursors('identity.support_accesses', z.tuple([z.guid()]));

@QueryHandler(SupportAccesses)
export class SupportAccessesHandler implements IQueryHandler<SupportAccesses> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { limit, after } }: SupportAccesses): Promise<Page<SupportAccessView>> {
    const [before] = cursors.decode(caller, after) ?? [null];
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, before, limit + 1]);
    return page(rows, limit, showSupportAccess, (row) => cursors.encode(caller, [row.id]));
  }
}
