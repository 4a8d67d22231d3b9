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
import { Args, ArgsType, InputType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { legalHoldView } from './legal-hold';
import { LegalHoldById, LegalHolds } from './legal-holds.query';
import { LiftLegalHold } from './lift-legal-hold.command';
import { PlaceLegalHold, placeLegalHoldInput } from './place-legal-hold.command';

@ObjectType()
export class LegalHold extends dto(legalHoldView, 'output') {}

@ObjectType()
export class LegalHoldConnection extends connectionOf(LegalHold) {}

@InputType()
export class PlaceLegalHoldInput extends dto(placeLegalHoldInput, 'input') {}

@ArgsType()
export class LegalHoldArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

@ArgsType()
export class LiftLegalHoldArgs extends dto(
  z.strictObject({ id: idSchema, idempotencyKey: z.string() }),
  'args',
) {}

@Resolver(() => LegalHold)
export class LegalHoldsResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => LegalHoldConnection, { description: 'Legal holds, newest first.' })
  @Needs('personal:read')
  async legalHolds(@CallerOf() caller: Caller, @Args() args: PageArgs): Promise<LegalHoldConnection> {
    return toConnection(await this.queries.execute(new LegalHolds(caller, pageInputOf(args))));
  }

  @Query(() => LegalHold, { description: 'One legal hold.' })
  @Needs('personal:read')
  legalHold(@CallerOf() caller: Caller, @Args() { id }: LegalHoldArgs): Promise<LegalHold> {
    return this.queries.execute(new LegalHoldById(caller, { id }));
  }

  @Mutation(() => LegalHold, {
    description: 'Keeps a person, or everything of the tenant, from being erased.',
  })
  @Needs('personal:write')
  placeLegalHold(
    @CallerOf() caller: Caller,
    @Args('input') input: PlaceLegalHoldInput,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<LegalHold> {
    return this.commands.execute(new PlaceLegalHold(caller, input, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => LegalHold, { description: 'Lifts a legal hold.' })
  @Needs('personal:write')
  liftLegalHold(
    @CallerOf() caller: Caller,
    @Args() { id, idempotencyKey }: LiftLegalHoldArgs,
  ): Promise<LegalHold> {
    return this.commands.execute(new LiftLegalHold(caller, { id }, idempotencyOf(idempotencyKey)));
  }
}
