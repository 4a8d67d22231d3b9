import { NotFound, VersionMismatch } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { LastOwner, MemberRemoved } from './members.errors';
import { memberChanged } from './members.events';
import { roleReference } from '../roles/role';
import { getHeldRole } from '../roles/roles.sql';
import { memberContent } from './add-member.command';
import { announcedOf, type MemberRow, type MemberView, roleOf, showMember } from './member';
import { lockMember, lockOwners, updateMember } from './members.sql';

/** What PATCH /v1/members/{id} takes. */
export const changeMemberInput = z.strictObject({ role: roleReference.optional(), ...memberContent });

type Change = z.output<typeof changeMemberInput> & { readonly id: string; readonly version: string };

/** Changes a member's role, or what they are called. A role that is given by hand no longer follows an issuer's claims. */
export class ChangeMember extends TenantCommand<Change, MemberView> {
  readonly scope = 'members:write';
}

@CommandHandler(ChangeMember)
export class ChangeMemberHandler extends TenantCommandHandler<ChangeMember> {
  protected async handle(tx: TenantTx, { input }: ChangeMember): Promise<MemberView> {
    const locked = await lockForChange(tx, input);
    const role = await getHeldRole(tx, input.role ?? roleOf(locked) ?? '');
    if (role.builtIn !== 'owner') await requireAnotherOwner(tx, locked);
    const { email = locked.email, displayName = locked.display_name } = input;
    const source = input.role !== undefined && locked.source === 'issuer' ? 'added' : locked.source;
    const member = await updateMember(tx, locked.id, { email, displayName, role, source });
    const stream = { id: member.id, version: member.stream_version };
    await tx.announce(announcement(memberChanged, stream, announcedOf(member)));
    return showMember(member);
  }
}

/** The member in the version that the caller has seen. Throws NotFound, VersionMismatch and MemberRemoved. */
export async function lockForChange(
  tx: TenantTx,
  { id, version }: { readonly id: string; readonly version: string },
): Promise<MemberRow> {
  // Owners first, whoever it is: two who demote each other would otherwise each hold what the other waits for.
  await lockOwners(tx);
  const member = await lockMember(tx, id);
  if (!member) throw new NotFound();
  if (member.version.toString() !== version) throw new VersionMismatch();
  if (member.removed_at) throw new MemberRemoved();
  return member;
}

/** Refuses to take the tenant's last owner away. Throws LastOwner. */
export async function requireAnotherOwner(tx: TenantTx, member: MemberRow): Promise<void> {
  if (member.built_in_role !== 'owner') return;
  const others = (await lockOwners(tx)).filter((id) => id !== member.id);
  if (others.length === 0) throw new LastOwner();
}
