import { deterministicId, idSchema } from '@holdfast/kernel';
import { type Idempotency, pageOf, type Page } from '@holdfast/cqrs';
import { ApiIdempotencyKey, IdempotencyKey } from '@holdfast/http';
import {
  CreateApiKey,
  createApiKeyForTenantInput,
  createdApiKeyView,
  generateApiKey,
  OperatorOnly,
  Operators,
} from '@holdfast/identity';
import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { ChangePlan, changePlanInput } from './change-plan.command';
import { CreateTenant, createTenantInput } from './create-tenant.command';
import { OperatorCallers } from './operator-callers';
import { ResumeTenant } from './resume-tenant.command';
import { SuspendTenant, suspendTenantInput } from './suspend-tenant.command';
import { TenantDirectory, tenantDirectoryInput } from './tenant-directory.query';
import { listedTenantView, type ListedTenantView } from './tenant-view';

@ApiTags('operator')
@OperatorOnly()
@Controller('v1/operator/tenants')
export class OperatorController {
  constructor(
    private readonly commands: CommandBus,
    private readonly directory: TenantDirectory,
    private readonly operators: Operators,
    private readonly callers: OperatorCallers,
  ) {}

  @Get()
  @ApiOperation({ summary: 'List tenants by slug' })
  @ApiOkResponse({ standardSchema: pageOf(listedTenantView) })
  list(
    @Query({ schema: tenantDirectoryInput }) input: z.output<typeof tenantDirectoryInput>,
  ): Promise<Page<ListedTenantView>> {
    return this.directory.list(input);
  }

  @Post()
  @ApiOperation({ summary: 'Create a tenant' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: listedTenantView })
  async create(
    @Req() request: FastifyRequest,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: createTenantInput }) input: z.output<typeof createTenantInput>,
  ): Promise<ListedTenantView> {
    // The id follows from the key: a repeated request means the same tenant and finds its answer there.
    const caller = await this.operators.callerIn(deterministicId('tenant', idempotency.key), request);
    return this.commands.execute(new CreateTenant(caller, input, idempotency));
  }

  @Get(':id')
  @ApiOperation({ summary: 'Show a tenant' })
  @ApiOkResponse({ standardSchema: listedTenantView })
  show(@Param('id', { schema: idSchema }) id: string): Promise<ListedTenantView> {
    return this.directory.get(id);
  }

  @Patch(':id')
  @ApiOperation({ summary: 'Put a tenant on another plan' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: listedTenantView })
  async changePlan(
    @Req() request: FastifyRequest,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: changePlanInput }) input: z.output<typeof changePlanInput>,
  ): Promise<ListedTenantView> {
    const caller = await this.callers.operatorIn(id, request);
    return this.commands.execute(new ChangePlan(caller, input, idempotency));
  }

  @Post(':id/suspend')
  @HttpCode(200)
  @ApiOperation({ summary: 'Close a tenant to its own credentials; consumers go on' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: listedTenantView })
  async suspend(
    @Req() request: FastifyRequest,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: suspendTenantInput }) input: z.output<typeof suspendTenantInput>,
  ): Promise<ListedTenantView> {
    const caller = await this.callers.operatorIn(id, request);
    return this.commands.execute(new SuspendTenant(caller, input, idempotency));
  }

  @Post(':id/resume')
  @HttpCode(200)
  @ApiOperation({ summary: 'Open a tenant again; takes an erasure back that has not begun' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: listedTenantView })
  async resume(
    @Req() request: FastifyRequest,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<ListedTenantView> {
    const caller = await this.callers.operatorIn(id, request);
    return this.commands.execute(new ResumeTenant(caller, {}, idempotency));
  }

  @Post(':id/api-keys')
  @ApiOperation({ summary: 'Make the first API key of a tenant, or another for a reason that it can read' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: createdApiKeyView })
  async createKey(
    @Req() request: FastifyRequest,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: createApiKeyForTenantInput }) input: z.output<typeof createApiKeyForTenantInput>,
  ): Promise<z.output<typeof createdApiKeyView>> {
    const caller = await this.callers.operatorIn(id, request);
    const secret = generateApiKey('live');
    const key = await this.commands.execute(new CreateApiKey(caller, input, secret, idempotency));
    return { ...key, secret: idempotency.replayed ? null : secret.text };
  }
}
