import { deterministicId, idSchema } from '@holdfast/kernel';
import { type Idempotency, pageOf, type Page } from '@holdfast/cqrs';
import { ApiIdempotencyKey, IdempotencyKey } from '@holdfast/http';
import {
  CreateApiKey,
  createApiKeyInput,
  createdApiKeyView,
  generateApiKey,
  OperatorOnly,
  Operators,
} from '@holdfast/identity';
import { Body, Controller, Get, Param, Post, Query, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { CreateTenant, createTenantInput } from './create-tenant.command';
import { TenantDirectory, tenantDirectoryInput } from './tenant-directory.query';
import { tenantView, type TenantView } from './tenant-view';

@ApiTags('operator')
@OperatorOnly()
@Controller('v1/operator/tenants')
export class OperatorController {
  constructor(
    private readonly commands: CommandBus,
    private readonly directory: TenantDirectory,
    private readonly operators: Operators,
  ) {}

  @Get()
  @ApiOperation({ summary: 'List tenants by slug' })
  @ApiOkResponse({ standardSchema: pageOf(tenantView) })
  list(
    @Query({ schema: tenantDirectoryInput }) input: z.output<typeof tenantDirectoryInput>,
  ): Promise<Page<TenantView>> {
    return this.directory.list(input);
  }

  @Post()
  @ApiOperation({ summary: 'Create a tenant' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: tenantView })
  async create(
    @Req() request: FastifyRequest,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: createTenantInput }) input: z.output<typeof createTenantInput>,
  ): Promise<TenantView> {
    // The id follows from the key: a repeated request means the same tenant and finds its answer there.
    const caller = await this.operators.callerIn(deterministicId('tenant', idempotency.key), request);
    return this.commands.execute(new CreateTenant(caller, input, idempotency));
  }

  @Get(':id')
  @ApiOperation({ summary: 'Show a tenant' })
  @ApiOkResponse({ standardSchema: tenantView })
  show(@Param('id', { schema: idSchema }) id: string): Promise<TenantView> {
    return this.directory.get(id);
  }

  @Post(':id/api-keys')
  @ApiOperation({ summary: 'Make an API key for a tenant, its first for example' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: createdApiKeyView })
  async createKey(
    @Req() request: FastifyRequest,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: createApiKeyInput }) input: z.output<typeof createApiKeyInput>,
  ): Promise<z.output<typeof createdApiKeyView>> {
    const tenant = await this.directory.get(id);
    const secret = generateApiKey('live');
    const caller = await this.operators.callerIn(tenant.id, request);
    const key = await this.commands.execute(new CreateApiKey(caller, input, secret, idempotency));
    return { ...key, secret: idempotency.replayed ? null : secret.text };
  }
}
