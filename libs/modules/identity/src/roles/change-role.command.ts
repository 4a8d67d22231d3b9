import { NotFound, VersionMismatch } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { roleChanged } from '../members/members.events';
import { notHeld } from '../members/members.sql';
import { createRoleInput, requireHeld } from './create-role.command';
import { type RoleView, showRole } from './role';
import { lockRole, updateRole } from './roles.sql';

/** What PATCH /v1/roles/{id} takes. */
export const changeRoleInput = createRoleInput.partial();

type Change = z.output<typeof changeRoleInput> & { readonly id: string; readonly version: string };

/** Changes a role of the tenant's own, and with it what everybody may do who holds it. */
export class ChangeRole extends TenantCommand<Change, RoleView> {
  readonly scope = 'roles:write';
}

@CommandHandler(ChangeRole)
export class ChangeRoleHandler extends TenantCommandHandler<ChangeRole> {
  protected async handle(tx: TenantTx, { caller, input }: ChangeRole): Promise<RoleView> {
    const { id, version, ...change } = input;
    const locked = await lockRole(tx, id);
    if (!locked) throw new NotFound();
    if (locked.version.toString() !== version) throw new VersionMismatch();
    const { name = locked.name, permissions = locked.permissions } = change;
    requireHeld(caller, [...locked.permissions, ...permissions]);
    const role = await updateRole(tx, id, { name, permissions }).catch(notHeld);
    await tx.announce(announcement(roleChanged, { id, version: role.version }, { permissions }));
    return showRole(role);
  }
}
