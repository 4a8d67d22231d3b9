import { NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type IssuerRow, issuerView, showIssuer } from './issuer';

/** All of them at once: a plan allows two hundred at most. */
export const issuersView = z.object({ data: z.array(issuerView) });

/** The issuers whose claims bring people in; or the one of an id. */
export class Issuers extends TenantQuery<{ readonly id?: string }, z.output<typeof issuersView>> {
  readonly scope = 'issuers:read';
}

/** Twice what the largest plan allows: a smaller plan takes no mapping away. */
const ISSUERS_MAX = 400;

const LIST = statement<IssuerRow>(
  'identity.list_issuers',
  `select id, issuer, claim, claim_value, role_claim, roles, default_role, version, created_at
   from identity.issuers
   where tenant_id = $1 and ($2::uuid is null or id = $2)
   order by id
   limit $3`,
);

@QueryHandler(Issuers)
export class IssuersHandler implements IQueryHandler<Issuers> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { id } }: Issuers): Promise<z.output<typeof issuersView>> {
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, id ?? null, ISSUERS_MAX]);
    if (id !== undefined && rows.length === 0) throw new NotFound();
    return { data: rows.map(showIssuer) };
  }
}
