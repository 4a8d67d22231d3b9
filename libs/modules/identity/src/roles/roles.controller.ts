import { type Caller, idSchema } from '@holdfast/kernel';
import type { Idempotency } from '@holdfast/cqrs';
import {
  ApiIdempotencyKey,
  ApiIfMatch,
  CallerOf,
  IdempotencyKey,
  IfMatch,
  Needs,
  Versioned,
} from '@holdfast/http';
import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { z } from 'zod';
import { ChangeRole, changeRoleInput } from './change-role.command';
import { CreateRole, createRoleInput } from './create-role.command';
import { RemoveRole } from './remove-role.command';
import { roleView, type RoleView } from './role';
import { Roles, rolesView } from './roles.query';

@ApiTags('identity')
@Controller('v1/roles')
export class RolesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Needs('members:read')
  @ApiOperation({ summary: 'List the roles that members can have, built-in ones first' })
  @ApiOkResponse({ standardSchema: rolesView })
  list(@CallerOf() caller: Caller): Promise<z.output<typeof rolesView>> {
    return this.queries.execute(new Roles(caller, {}));
  }

  @Post()
  @Needs('roles:write')
  @Versioned()
  @ApiOperation({ summary: 'Define a role' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: roleView })
  create(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: createRoleInput }) input: z.output<typeof createRoleInput>,
  ): Promise<RoleView> {
    return this.commands.execute(new CreateRole(caller, input, idempotency));
  }

  @Get(':id')
  @Needs('members:read')
  @Versioned()
  @ApiOperation({ summary: 'Show a role of your own' })
  @ApiOkResponse({ standardSchema: roleView })
  async show(
    @CallerOf() caller: Caller,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<RoleView | undefined> {
    const { data } = await this.queries.execute(new Roles(caller, { id }));
    return data[0];
  }

  @Patch(':id')
  @Needs('roles:write')
  @Versioned()
  @ApiOperation({ summary: 'Change a role, and what everybody may do who holds it' })
  @ApiIdempotencyKey()
  @ApiIfMatch()
  @ApiOkResponse({ standardSchema: roleView })
  change(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @IfMatch() version: string,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: changeRoleInput }) input: z.output<typeof changeRoleInput>,
  ): Promise<RoleView> {
    return this.commands.execute(new ChangeRole(caller, { ...input, id, version }, idempotency));
  }

  @Delete(':id')
  @Needs('roles:write')
  @HttpCode(204)
  @ApiOperation({ summary: 'Remove a role that nobody holds' })
  @ApiIfMatch()
  @ApiNoContentResponse()
  async remove(
    @CallerOf() caller: Caller,
    @IfMatch() version: string,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<void> {
    await this.commands.execute(new RemoveRole(caller, { id, version }));
  }
}
