import { NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { BUILT_IN_VIEWS, type RoleRow, roleView, type RoleView, showRole } from './role';

/** All roles at once: a plan allows a hundred at most. */
export const rolesView = z.object({ data: z.array(roleView) });

/** The roles that members can have, built-in ones first; or the one of an id. */
export class Roles extends TenantQuery<{ readonly id?: string }, z.output<typeof rolesView>> {
  readonly scope = 'members:read';
}

/** Twice what the largest plan allows: a smaller plan takes no role away. */
const ROLES_MAX = 200;

const LIST = statement<RoleRow>(
  'identity.list_roles',
  `select id, name, permissions, version, created_at
   from identity.roles
   where tenant_id = $1 and ($2::text is null or id::text = $2)
   order by name
   limit $3`,
);

@QueryHandler(Roles)
export class RolesHandler implements IQueryHandler<Roles> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { id } }: Roles): Promise<z.output<typeof rolesView>> {
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, id ?? null, ROLES_MAX]);
    const builtIn: readonly RoleView[] = BUILT_IN_VIEWS.filter((role) => id === undefined || role.id === id);
    const data = [...builtIn, ...rows.map(showRole)];
    if (id !== undefined && data.length === 0) throw new NotFound();
    return { data };
  }
}
