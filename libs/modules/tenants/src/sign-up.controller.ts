import type { Principal } from '@holdfast/kernel';
import type { Idempotency } from '@holdfast/cqrs';
import { ApiIdempotencyKey, IdempotencyKey, originOf, PrincipalOf } from '@holdfast/http';
import { PrincipalOnly } from '@holdfast/identity';
import { callerOf, Grants } from '@holdfast/tenancy';
import { Body, Controller, Inject, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiCreatedResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { createTenantInput } from './create-tenant.command';
import { SignUp, tenantIdOf } from './sign-up.command';
import { tenantView, type TenantView } from './tenant-view';
import { SignUpDisabled } from './tenants.errors';

/** Whether people may begin tenants by themselves. */
export const SIGN_UP_ENABLED = Symbol('SIGN_UP_ENABLED');

@ApiTags('tenant')
@PrincipalOnly()
@Controller('v1/sign-up')
export class SignUpController {
  constructor(
    private readonly commands: CommandBus,
    private readonly grants: Grants,
    @Inject(SIGN_UP_ENABLED) private readonly isEnabled: boolean,
  ) {}

  @Post()
  @ApiOperation({ summary: 'Begin a tenant with a JWT, and be its owner; one for each person' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: tenantView })
  async signUp(
    @Req() request: FastifyRequest,
    @PrincipalOf() principal: Principal,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: createTenantInput }) input: z.output<typeof createTenantInput>,
  ): Promise<TenantView> {
    if (!this.isEnabled) throw new SignUpDisabled();
    const grant = await this.grants.forSystem('sign-up', tenantIdOf(principal));
    const caller = callerOf(grant, { ...originOf(request), deadline: request.deadline });
    return this.commands.execute(new SignUp(caller, input, principal, idempotency));
  }
}
