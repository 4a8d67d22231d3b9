import { type Caller, idSchema } from '@holdfast/kernel';
import { CallerOf, dto, idempotencyOf, Needs } from '@holdfast/http';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, ID, InputType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { ChangeRole, changeRoleInput } from './change-role.command';
import { CreateRole, createRoleInput } from './create-role.command';
import { RemoveRole } from './remove-role.command';
import { roleView } from './role';
import { Roles } from './roles.query';

@ObjectType()
export class Role extends dto(roleView, 'output') {}

@InputType()
export class CreateRoleInput extends dto(createRoleInput, 'input') {}

@ArgsType()
export class ChangeRoleArgs extends dto(
  changeRoleInput.extend({ id: idSchema, version: z.string().max(20), idempotencyKey: z.string() }),
  'args',
) {}

@ArgsType()
export class RoleArgs extends dto(z.strictObject({ id: idSchema, version: z.string().max(20) }), 'args') {}

@Resolver(() => Role)
export class RolesResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => [Role], { description: 'The roles that members can have, built-in ones first.' })
  @Needs('members:read')
  async roles(@CallerOf() caller: Caller): Promise<Role[]> {
    return (await this.queries.execute(new Roles(caller, {}))).data;
  }

  @Mutation(() => Role, { description: 'Defines a role.' })
  @Needs('roles:write')
  createRole(
    @CallerOf() caller: Caller,
    @Args('input') input: CreateRoleInput,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<Role> {
    return this.commands.execute(new CreateRole(caller, input, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => Role, { description: 'Changes a role, and what everybody may do who holds it.' })
  @Needs('roles:write')
  changeRole(
    @CallerOf() caller: Caller,
    @Args() { idempotencyKey, ...change }: ChangeRoleArgs,
  ): Promise<Role> {
    return this.commands.execute(new ChangeRole(caller, change, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => ID, { description: 'Removes a role that nobody holds.' })
  @Needs('roles:write')
  async removeRole(@CallerOf() caller: Caller, @Args() { id, version }: RoleArgs): Promise<string> {
    return (await this.commands.execute(new RemoveRole(caller, { id, version }))).id;
  }
}
