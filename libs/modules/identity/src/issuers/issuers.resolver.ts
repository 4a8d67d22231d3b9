import { type Caller, idSchema } from '@holdfast/kernel';
import { CallerOf, dto, idempotencyOf, Needs, represent } from '@holdfast/http';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, ID, InputType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { ChangeIssuer, changeIssuerInput } from './change-issuer.command';
import { AddIssuer, addIssuerInput } from './add-issuer.command';
import { RemoveIssuer } from './remove-issuer.command';
import { issuerView, valueRole, valueRoleView } from './issuer';
import { Issuers } from './issuers.query';

@ObjectType()
export class ValueRole extends dto(valueRoleView, 'output') {}
represent(valueRoleView, 'output', () => ValueRole);

@InputType()
export class ValueRoleInput extends dto(valueRole, 'input') {}
represent(valueRole, 'input', () => ValueRoleInput);

@ObjectType()
export class Issuer extends dto(issuerView, 'output') {}

@InputType()
export class AddIssuerInput extends dto(addIssuerInput, 'input') {}

@ArgsType()
export class ChangeIssuerArgs extends dto(
  changeIssuerInput.extend({ id: idSchema, version: z.string().max(20), idempotencyKey: z.string() }),
  'args',
) {}

@ArgsType()
export class IssuerArgs extends dto(z.strictObject({ id: idSchema, version: z.string().max(20) }), 'args') {}

@Resolver(() => Issuer)
export class IssuersResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => [Issuer], { description: 'The issuers whose claims bring people in.' })
  @Needs('issuers:read')
  async issuers(@CallerOf() caller: Caller): Promise<Issuer[]> {
    return (await this.queries.execute(new Issuers(caller, {}))).data;
  }

  @Mutation(() => Issuer, { description: 'Lets the claims of an issuer bring people in.' })
  @Needs('issuers:write')
  addIssuer(
    @CallerOf() caller: Caller,
    @Args('input') input: AddIssuerInput,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<Issuer> {
    return this.commands.execute(new AddIssuer(caller, input, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => Issuer, { description: 'Changes what an issuer’s claims give.' })
  @Needs('issuers:write')
  changeIssuer(
    @CallerOf() caller: Caller,
    @Args() { idempotencyKey, ...change }: ChangeIssuerArgs,
  ): Promise<Issuer> {
    return this.commands.execute(new ChangeIssuer(caller, change, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => ID, { description: 'Takes an issuer’s claims their effect.' })
  @Needs('issuers:write')
  async removeIssuer(@CallerOf() caller: Caller, @Args() { id, version }: IssuerArgs): Promise<string> {
    return (await this.commands.execute(new RemoveIssuer(caller, { id, version }))).id;
  }
}
