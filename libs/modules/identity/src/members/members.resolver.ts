import { type Caller, idSchema } from '@holdfast/kernel';
import {
  CallerOf,
  connectionOf,
  dto,
  idempotencyOf,
  Needs,
  PageArgs,
  pageInputOf,
  toConnection,
} from '@holdfast/http';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, ID, InputType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { AddMember, addMemberInput } from './add-member.command';
import { ChangeMember, changeMemberInput } from './change-member.command';
import { Me as MeQuery, meView } from './me.query';
import { memberView } from './member';
import { MemberById, Members } from './members.query';
import { RemoveMember } from './remove-member.command';

@ObjectType()
export class Member extends dto(memberView, 'output') {}

@ObjectType()
export class Me extends dto(meView, 'output') {}

@InputType()
export class AddMemberInput extends dto(addMemberInput, 'input') {}

@ArgsType()
export class ChangeMemberArgs extends dto(
  changeMemberInput.extend({ id: idSchema, version: z.string().max(20), idempotencyKey: z.string() }),
  'args',
) {}

@ArgsType()
export class MemberIdArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

@ArgsType()
export class MemberArgs extends dto(z.strictObject({ id: idSchema, version: z.string().max(20) }), 'args') {}

@ObjectType()
export class MemberConnection extends connectionOf(Member) {}

@Resolver(() => Member)
export class MembersResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => Me, { description: 'Who calls, for which tenant, and what they may do.' })
  @Needs('tenant:read')
  me(@CallerOf() caller: Caller): Promise<Me> {
    return this.queries.execute(new MeQuery(caller, {}));
  }

  @Query(() => MemberConnection, { description: 'Members, newest first.' })
  @Needs('members:read')
  async members(@CallerOf() caller: Caller, @Args() args: PageArgs): Promise<MemberConnection> {
    return toConnection(await this.queries.execute(new Members(caller, pageInputOf(args))));
  }

  @Query(() => Member, { description: 'A member, also one who was removed.' })
  @Needs('members:read')
  member(@CallerOf() caller: Caller, @Args() { id }: MemberIdArgs): Promise<Member> {
    return this.queries.execute(new MemberById(caller, { id }));
  }

  @Mutation(() => Member, { description: 'Makes somebody a member whose subject at the issuer you know.' })
  @Needs('members:write')
  addMember(
    @CallerOf() caller: Caller,
    @Args('input') input: AddMemberInput,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<Member> {
    return this.commands.execute(new AddMember(caller, input, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => Member, { description: 'Changes a member’s role, or what they are called.' })
  @Needs('members:write')
  changeMember(
    @CallerOf() caller: Caller,
    @Args() { idempotencyKey, ...change }: ChangeMemberArgs,
  ): Promise<Member> {
    return this.commands.execute(new ChangeMember(caller, change, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => ID, { description: 'Ends a membership.' })
  @Needs('members:write')
  async removeMember(@CallerOf() caller: Caller, @Args() { id, version }: MemberArgs): Promise<string> {
    return (await this.commands.execute(new RemoveMember(caller, { id, version }))).id;
  }
}
