import { Module } from '@nestjs/common';
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
  controllers: [MembersController, RolesController],
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
  ],
})
export class PeopleModule {}
