import { type Caller, idSchema } from '@holdfast/kernel';
import { CallerOf, connectionOf, dto, Needs, PageArgs, pageInputOf, toConnection } from '@holdfast/http';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, ID, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { EndSupportAccess } from './end-support-access.command';
import { supportAccessView } from './support-access-view';
import { SupportAccessById } from './support-access.query';
import { SupportAccesses } from './support-accesses.query';

@ObjectType()
export class SupportAccess extends dto(supportAccessView, 'output') {}

@ArgsType()
export class SupportAccessArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

@ObjectType()
export class SupportAccessConnection extends connectionOf(SupportAccess) {}

@Resolver(() => SupportAccess)
export class SupportAccessesResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => SupportAccessConnection, {
    description: 'When and why the operator acted for the tenant, newest first.',
  })
  @Needs('support:read')
  async supportAccesses(
    @CallerOf() caller: Caller,
    @Args() args: PageArgs,
  ): Promise<SupportAccessConnection> {
    return toConnection(await this.queries.execute(new SupportAccesses(caller, pageInputOf(args))));
  }

  @Query(() => SupportAccess, { description: 'One access of the operator.' })
  @Needs('support:read')
  supportAccess(@CallerOf() caller: Caller, @Args() { id }: SupportAccessArgs): Promise<SupportAccess> {
    return this.queries.execute(new SupportAccessById(caller, { id }));
  }

  @Mutation(() => ID, {
    description: 'Ends an access of the operator; every process refuses it within five seconds.',
  })
  @Needs('support:write')
  async endSupportAccess(@CallerOf() caller: Caller, @Args() { id }: SupportAccessArgs): Promise<string> {
    return (await this.commands.execute(new EndSupportAccess(caller, { id }))).id;
  }
}
