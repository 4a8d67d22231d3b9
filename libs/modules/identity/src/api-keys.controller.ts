import { type Caller, idSchema } from '@holdfast/kernel';
import { type Idempotency, pageOf, type Page } from '@holdfast/cqrs';
import { ApiIdempotencyKey, CallerOf, IdempotencyKey, Needs } from '@holdfast/http';
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { z } from 'zod';
import { generateApiKey } from './api-key';
import { apiKeyView, type ApiKeyView, createdApiKeyView } from './api-key-view';
import { ApiKeyById } from './api-key.query';
import { ApiKeys, apiKeysInput } from './api-keys.query';
import { CreateApiKey, createApiKeyInput } from './create-api-key.command';
import { RevokeApiKey } from './revoke-api-key.command';
import { RotateApiKey, rotateApiKeyInput } from './rotate-api-key.command';

@ApiTags('identity')
@Controller('v1/api-keys')
export class ApiKeysController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Needs('keys:read')
  @ApiOperation({ summary: 'List API keys, newest first' })
  @ApiOkResponse({ standardSchema: pageOf(apiKeyView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: apiKeysInput }) input: z.output<typeof apiKeysInput>,
  ): Promise<Page<ApiKeyView>> {
    return this.queries.execute(new ApiKeys(caller, input));
  }

  @Post()
  @Needs('keys:write')
  @ApiOperation({ summary: 'Make an API key; its secret is shown this once' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: createdApiKeyView })
  async create(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: createApiKeyInput }) input: z.output<typeof createApiKeyInput>,
  ): Promise<z.output<typeof createdApiKeyView>> {
    const secret = generateApiKey('live');
    const key = await this.commands.execute(new CreateApiKey(caller, input, secret, idempotency));
    return { ...key, secret: idempotency.replayed ? null : secret.text };
  }

  @Get(':id')
  @Needs('keys:read')
  @ApiOperation({ summary: 'Show an API key' })
  @ApiOkResponse({ standardSchema: apiKeyView })
  show(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<ApiKeyView> {
    return this.queries.execute(new ApiKeyById(caller, { id }));
  }

  @Post(':id/rotate')
  @Needs('keys:write')
  @ApiOperation({
    summary: 'Give an API key a fresh secret, shown this once; the one before works a while longer',
  })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: createdApiKeyView })
  async rotate(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: rotateApiKeyInput }) input: z.output<typeof rotateApiKeyInput>,
  ): Promise<z.output<typeof createdApiKeyView>> {
    const rotation = new RotateApiKey(caller, { ...input, id }, idempotency);
    return rotation.withSecret(await this.commands.execute(rotation));
  }

  @Delete(':id')
  @Needs('keys:write')
  @HttpCode(204)
  @ApiOperation({ summary: 'End an API key' })
  @ApiNoContentResponse()
  async revoke(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<void> {
    await this.commands.execute(new RevokeApiKey(caller, { id }));
  }
}
