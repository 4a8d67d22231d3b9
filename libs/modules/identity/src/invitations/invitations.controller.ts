import { type Caller, deterministicId, idSchema, type Principal } from '@holdfast/kernel';
import { type Idempotency, pageOf, type Page } from '@holdfast/cqrs';
import { ApiIdempotencyKey, CallerOf, IdempotencyKey, Needs, originOf, PrincipalOf } from '@holdfast/http';
import { callerOf, Grants, TenantClosed } from '@holdfast/tenancy';
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { PrincipalOnly } from '../authentication.guard';
import { memberView, type MemberView } from '../members/member';
import { AcceptInvitation, acceptInvitationInput } from './accept-invitation.command';
import { CreateInvitation, createInvitationInput } from './create-invitation.command';
import { createdInvitationView, invitationView, type InvitationView, tenantOfToken } from './invitation';
import { InvitationInvalid } from './invitations.errors';
import { InvitationKnown, Invitations, invitationsInput } from './invitations.query';
import { RevokeInvitation } from './revoke-invitation.command';

@ApiTags('identity')
@Controller('v1/invitations')
export class InvitationsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly grants: Grants,
  ) {}

  @Get()
  @Needs('members:read')
  @ApiOperation({ summary: 'List invitations, newest first' })
  @ApiOkResponse({ standardSchema: pageOf(invitationView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: invitationsInput }) input: z.output<typeof invitationsInput>,
  ): Promise<Page<InvitationView>> {
    return this.queries.execute(new Invitations(caller, input));
  }

  @Post()
  @Needs('members:write')
  @ApiOperation({ summary: 'Invite somebody; the token is shown this once, and it is yours to send' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: createdInvitationView })
  async create(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: createInvitationInput }) input: z.output<typeof createInvitationInput>,
  ): Promise<z.output<typeof createdInvitationView>> {
    const inviting = new CreateInvitation(caller, input, idempotency);
    return inviting.withToken(await this.commands.execute(inviting));
  }

  @Post('accept')
  @PrincipalOnly()
  @HttpCode(200)
  @ApiOperation({ summary: 'Accept an invitation with a JWT; you are a member then' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: memberView })
  async accept(
    @Req() request: FastifyRequest,
    @PrincipalOf() principal: Principal,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: acceptInvitationInput }) { token }: z.output<typeof acceptInvitationInput>,
  ): Promise<MemberView> {
    const tenantId = tenantOfToken(token);
    if (tenantId === undefined) throw new InvitationInvalid();
    const grant = await this.grants.forSystem('identity', tenantId).catch(refusal);
    const caller = callerOf(grant, { ...originOf(request), deadline: request.deadline });
    // Before anything is written: a made-up token names any tenant, also one that is not there.
    const isKnown = await this.queries.execute(new InvitationKnown(caller, { token }));
    if (!isKnown) throw new InvitationInvalid();
    // All who accept act as the system: their keys are told apart by person, so that nobody meets another's answer.
    const key = deterministicId('accept', principal.issuer, principal.subject, idempotency.key);
    request.idempotency = { key, replayed: false };
    return this.commands.execute(new AcceptInvitation(caller, token, principal, request.idempotency));
  }

  @Delete(':id')
  @Needs('members:write')
  @HttpCode(204)
  @ApiOperation({ summary: 'Take an invitation back' })
  @ApiNoContentResponse()
  async revoke(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<void> {
    await this.commands.execute(new RevokeInvitation(caller, { id }));
  }
}

/** Who guesses tenants with made-up tokens is not told which of them are closed. */
function refusal(error: unknown): never {
  throw error instanceof TenantClosed ? new InvitationInvalid() : error;
}
