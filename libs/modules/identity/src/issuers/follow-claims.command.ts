import type { Caller, Principal } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { admitMember } from '../members/admit-member';
import { announcedOf, type MemberRow, roleOf } from '../members/member';
import { memberChanged, memberRemoved } from '../members/members.events';
import { markMemberRemoved, updateMember } from '../members/members.sql';
import type { HeldRole } from '../roles/role';
import { findHeldRole } from '../roles/roles.sql';
import { admittedRole } from './admission';
import { shareMappings } from './issuers.sql';
import { lockMemberOf } from './sign-ins.sql';

/**
 * Brings a membership in line with what the tenant's mapping makes of a token's claims: makes it, changes its role or ends
 * it. The caller is the system, in a tenant that the request has chosen: claims never choose among tenants, so another
 * tenant's mapping of the same claim moves nobody. Who was made a member by hand is left alone.
 */
export class FollowClaims extends TenantCommand<Record<string, never>, undefined> {
  readonly scope = 'members:write';

  constructor(
    caller: Caller,
    readonly principal: Principal,
  ) {
    super(caller, {});
  }
}

@CommandHandler(FollowClaims)
export class FollowClaimsHandler extends TenantCommandHandler<FollowClaims> {
  protected async handle(tx: TenantTx, { principal }: FollowClaims): Promise<undefined> {
    const mappings = await shareMappings(tx, principal.issuer);
    const member = await lockMemberOf(tx, principal);
    const reference = admittedRole(mappings, principal.claims);
    const role = reference === undefined ? undefined : await findHeldRole(tx, reference);
    if (member) await follow(tx, member, role);
    else if (role && reference !== undefined) {
      const { issuer, subject } = principal;
      await admitMember(tx, { issuer, subject, role: reference, source: 'issuer' });
    }
  }
}

async function follow(tx: TenantTx, member: MemberRow, role: HeldRole | undefined): Promise<void> {
  if (member.source !== 'issuer') return;
  const { id, email, display_name: displayName, source } = member;
  if (!role) {
    const version = await markMemberRemoved(tx, id);
    await tx.announce(announcement(memberRemoved, { id, version }, {}));
  } else if (roleOf(member) !== (role.builtIn ?? role.id)) {
    const changed = await updateMember(tx, id, { email, displayName, role, source });
    const stream = { id, version: changed.stream_version };
    await tx.announce(announcement(memberChanged, stream, announcedOf(changed)));
  }
}
