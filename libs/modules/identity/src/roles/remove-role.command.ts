import { NotFound, VersionMismatch } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { roleRemoved } from '../members/members.events';
import { deleteRole, lockRole } from './roles.sql';

interface Named {
  readonly id: string;
}

/** Removes a role that nobody holds. */
export class RemoveRole extends TenantCommand<Named & { readonly version: string }, Named> {
  readonly scope = 'roles:write';
}

@CommandHandler(RemoveRole)
export class RemoveRoleHandler extends TenantCommandHandler<RemoveRole> {
  protected async handle(tx: TenantTx, { input: { id, version } }: RemoveRole): Promise<Named> {
    const role = await lockRole(tx, id);
    if (!role) throw new NotFound();
    if (role.version.toString() !== version) throw new VersionMismatch();
    await deleteRole(tx, id);
    await tx.announce(announcement(roleRemoved, { id, version: role.version + 1n }, {}));
    return { id };
  }
}
