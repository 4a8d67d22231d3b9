import { type Caller, idSchema } from '@holdfast/kernel';
import { type Idempotency, pageOf, type Page } from '@holdfast/cqrs';
import {
  ApiIdempotencyKey,
  ApiIfMatch,
  CallerOf,
  IdempotencyKey,
  IfMatch,
  Needs,
  Versioned,
} from '@holdfast/http';
import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { z } from 'zod';
import { AddMember, addMemberInput } from './add-member.command';
import { ChangeMember, changeMemberInput } from './change-member.command';
import { Me, meView } from './me.query';
import { memberView, type MemberView } from './member';
import { MemberById, Members, membersInput } from './members.query';
import { RemoveMember } from './remove-member.command';

@ApiTags('identity')
@Controller('v1')
export class MembersController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get('me')
  @Needs('tenant:read')
  @ApiOperation({ summary: 'Show who calls, for which tenant, and what they may do' })
  @ApiOkResponse({ standardSchema: meView })
  me(@CallerOf() caller: Caller): Promise<z.output<typeof meView>> {
    return this.queries.execute(new Me(caller, {}));
  }

  @Get('members')
  @Needs('members:read')
  @ApiOperation({ summary: 'List members, newest first' })
  @ApiOkResponse({ standardSchema: pageOf(memberView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: membersInput }) input: z.output<typeof membersInput>,
  ): Promise<Page<MemberView>> {
    return this.queries.execute(new Members(caller, input));
  }

  @Post('members')
  @Needs('members:write')
  @Versioned()
  @ApiOperation({ summary: 'Make somebody a member whose subject at the issuer you know' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: memberView })
  add(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: addMemberInput }) input: z.output<typeof addMemberInput>,
  ): Promise<MemberView> {
    return this.commands.execute(new AddMember(caller, input, idempotency));
  }

  @Get('members/:id')
  @Needs('members:read')
  @Versioned()
  @ApiOperation({ summary: 'Show a member, also one who was removed' })
  @ApiOkResponse({ standardSchema: memberView })
  show(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<MemberView> {
    return this.queries.execute(new MemberById(caller, { id }));
  }

  @Patch('members/:id')
  @Needs('members:write')
  @Versioned()
  @ApiOperation({ summary: 'Change a member’s role, or what they are called' })
  @ApiIdempotencyKey()
  @ApiIfMatch()
  @ApiOkResponse({ standardSchema: memberView })
  change(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @IfMatch() version: string,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: changeMemberInput }) input: z.output<typeof changeMemberInput>,
  ): Promise<MemberView> {
    return this.commands.execute(new ChangeMember(caller, { ...input, id, version }, idempotency));
  }

  @Delete('members/:id')
  @Needs('members:write')
  @HttpCode(204)
  @ApiOperation({ summary: 'End a membership; every process refuses the person within five seconds' })
  @ApiIfMatch()
  @ApiNoContentResponse()
  async remove(
    @CallerOf() caller: Caller,
    @IfMatch() version: string,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<void> {
    await this.commands.execute(new RemoveMember(caller, { id, version }));
  }
}
