import { type Caller, newId } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, requireFeature, requireQuota, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { ScopeNotHeld } from '../identity.errors';
import { roleCreated } from '../members/members.events';
import { permissionSchema, type RoleView, showRole } from './role';
import { COUNT_ROLES, insertRole } from './roles.sql';

/** What POST /v1/roles takes. */
export const createRoleInput = z.strictObject({
  name: z
    .string()
    .trim()
    .min(1)
    .max(100)
    .meta({ examples: ['bookkeeper'] }),
  permissions: z
    .array(permissionSchema)
    .min(1)
    .max(100)
    .transform((permissions) => [...new Set(permissions)].toSorted())
    .meta({ description: 'What its holders may do; at most what you may.', examples: [['ledger:read']] }),
});

/** Defines a role of the caller's tenant. */
export class CreateRole extends TenantCommand<z.output<typeof createRoleInput>, RoleView> {
  readonly scope = 'roles:write';
}

@CommandHandler(CreateRole)
export class CreateRoleHandler extends TenantCommandHandler<CreateRole> {
  protected async handle(tx: TenantTx, { caller, input }: CreateRole): Promise<RoleView> {
    requireFeature(caller, 'custom_roles');
    requireHeld(caller, input.permissions);
    await requireQuota(tx, 'customRoles', COUNT_ROLES);
    const role = await insertRole(tx, { id: newId(), ...input });
    const { permissions } = role;
    await tx.announce(announcement(roleCreated, { id: role.id, version: role.version }, { permissions }));
    return showRole(role);
  }
}

/** Refuses early what the database would refuse when the role is given to somebody. */
export function requireHeld(caller: Caller, permissions: readonly string[]): void {
  const isHeld = (permission: string): boolean =>
    caller.scopes.some((scope) => scope === '*' || scope === permission);
  if (!permissions.every(isHeld)) throw new ScopeNotHeld();
}
