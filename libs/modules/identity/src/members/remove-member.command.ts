import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { memberRemoved } from './members.events';
import { lockForChange, requireAnotherOwner } from './change-member.command';
import { markMemberRemoved } from './members.sql';

interface Named {
  readonly id: string;
}

/** Ends a membership. The row stays, so that events that name the member can be read. */
export class RemoveMember extends TenantCommand<Named & { readonly version: string }, Named> {
  readonly scope = 'members:write';
}

@CommandHandler(RemoveMember)
export class RemoveMemberHandler extends TenantCommandHandler<RemoveMember> {
  protected async handle(tx: TenantTx, { input }: RemoveMember): Promise<Named> {
    const member = await lockForChange(tx, input);
    await requireAnotherOwner(tx, member);
    const version = await markMemberRemoved(tx, member.id);
    await tx.announce(announcement(memberRemoved, { id: member.id, version }, {}));
    return { id: member.id };
  }
}
