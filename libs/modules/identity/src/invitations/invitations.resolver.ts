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
import { CreateInvitation, createInvitationInput } from './create-invitation.command';
import { createdInvitationView, invitationView } from './invitation';
import { Invitations } from './invitations.query';
import { RevokeInvitation } from './revoke-invitation.command';

@ObjectType()
export class Invitation extends dto(invitationView, 'output') {}

@ObjectType()
export class CreatedInvitation extends dto(createdInvitationView, 'output') {}

@InputType()
export class CreateInvitationInput extends dto(createInvitationInput, 'input') {}

@ArgsType()
export class InvitationArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

@ObjectType()
export class InvitationConnection extends connectionOf(Invitation) {}

/** Accepting is REST alone: whoever accepts has no tenant yet, and every field here is about one. */
@Resolver(() => Invitation)
export class InvitationsResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => InvitationConnection, { description: 'Invitations, newest first.' })
  @Needs('members:read')
  async invitations(@CallerOf() caller: Caller, @Args() args: PageArgs): Promise<InvitationConnection> {
    return toConnection(await this.queries.execute(new Invitations(caller, pageInputOf(args))));
  }

  @Mutation(() => CreatedInvitation, { description: 'Invites somebody; the token is shown this once.' })
  @Needs('members:write')
  async createInvitation(
    @CallerOf() caller: Caller,
    @Args('input') input: CreateInvitationInput,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<CreatedInvitation> {
    const inviting = new CreateInvitation(caller, input, idempotencyOf(idempotencyKey));
    return inviting.withToken(await this.commands.execute(inviting));
  }

  @Mutation(() => ID, { description: 'Takes an invitation back.' })
  @Needs('members:write')
  async revokeInvitation(@CallerOf() caller: Caller, @Args() { id }: InvitationArgs): Promise<string> {
    return (await this.commands.execute(new RevokeInvitation(caller, { id }))).id;
  }
}
