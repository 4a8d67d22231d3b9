import { Module } from '@nestjs/common';
import { AcceptInvitationHandler } from './invitations/accept-invitation.command';
import { CreateInvitationHandler } from './invitations/create-invitation.command';
import { InvitationsController } from './invitations/invitations.controller';
import { InvitationKnownHandler, InvitationsHandler } from './invitations/invitations.query';
import { InvitationsResolver } from './invitations/invitations.resolver';
import { RevokeInvitationHandler } from './invitations/revoke-invitation.command';
import { AddIssuerHandler } from './issuers/add-issuer.command';
import { ChangeIssuerHandler } from './issuers/change-issuer.command';
import { FollowClaimsHandler } from './issuers/follow-claims.command';
import { IssuersController } from './issuers/issuers.controller';
import { IssuersHandler } from './issuers/issuers.query';
import { IssuersResolver } from './issuers/issuers.resolver';
import { RemoveIssuerHandler } from './issuers/remove-issuer.command';
import { AddMemberHandler } from './members/add-member.command';
import { ChangeMemberHandler } from './members/change-member.command';
import { MeHandler } from './members/me.query';
import { MembersController } from './members/members.controller';
import { MemberByIdHandler, MembersHandler } from './members/members.query';
import { MembersResolver } from './members/members.resolver';
import { RemoveMemberHandler } from './members/remove-member.command';
import { ChangeRoleHandler } from './roles/change-role.command';
import { CreateRoleHandler } from './roles/create-role.command';
import { RemoveRoleHandler } from './roles/remove-role.command';
import { RolesController } from './roles/roles.controller';
import { RolesHandler } from './roles/roles.query';
import { RolesResolver } from './roles/roles.resolver';

/** Who belongs to a tenant, and as what. */
@Module({
  controllers: [MembersController, RolesController, InvitationsController, IssuersController],
  providers: [
    AddMemberHandler,
    ChangeMemberHandler,
    RemoveMemberHandler,
    MembersHandler,
    MemberByIdHandler,
    MeHandler,
    MembersResolver,
    CreateRoleHandler,
    ChangeRoleHandler,
    RemoveRoleHandler,
    RolesHandler,
    RolesResolver,
    CreateInvitationHandler,
    RevokeInvitationHandler,
    AcceptInvitationHandler,
    InvitationsHandler,
    InvitationKnownHandler,
    InvitationsResolver,
    AddIssuerHandler,
    ChangeIssuerHandler,
    RemoveIssuerHandler,
    FollowClaimsHandler,
    IssuersHandler,
    IssuersResolver,
  ],
})
export class PeopleModule {}
