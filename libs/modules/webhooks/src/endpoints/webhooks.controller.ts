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
import { ChangeWebhook, changeWebhookInput } from './change-webhook.command';
import { CreateWebhook, createWebhookInput } from './create-webhook.command';
import { RemoveWebhook } from './remove-webhook.command';
import { RotateWebhookSecret, rotateWebhookSecretInput } from './rotate-webhook-secret.command';
import { webhookView, type WebhookView, webhookWithSecretView, type WebhookWithSecretView } from './webhook';
import { WebhookById, Webhooks, webhooksInput } from './webhooks.query';

@ApiTags('webhooks')
@Controller('v1/webhooks')
export class WebhooksController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Needs('webhooks:read')
  @ApiOperation({ summary: 'List webhooks, newest first' })
  @ApiOkResponse({ standardSchema: pageOf(webhookView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: webhooksInput }) input: z.output<typeof webhooksInput>,
  ): Promise<Page<WebhookView>> {
    return this.queries.execute(new Webhooks(caller, input));
  }

  @Post()
  @Needs('webhooks:write')
  @Versioned()
  @ApiOperation({ summary: 'Make a webhook; its secret is shown this once' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: webhookWithSecretView })
  async create(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: createWebhookInput }) input: z.output<typeof createWebhookInput>,
  ): Promise<WebhookWithSecretView> {
    const command = new CreateWebhook(caller, input, idempotency);
    return command.withSecret(await this.commands.execute(command));
  }

  @Get(':id')
  @Needs('webhooks:read')
  @Versioned()
  @ApiOperation({ summary: 'Show a webhook' })
  @ApiOkResponse({ standardSchema: webhookView })
  show(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<WebhookView> {
    return this.queries.execute(new WebhookById(caller, { id }));
  }

  @Patch(':id')
  @Needs('webhooks:write')
  @Versioned()
  @ApiOperation({ summary: 'Change a webhook, or switch it off or on' })
  @ApiIdempotencyKey()
  @ApiIfMatch()
  @ApiOkResponse({ standardSchema: webhookView })
  change(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @IfMatch() version: string,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: changeWebhookInput }) input: z.output<typeof changeWebhookInput>,
  ): Promise<WebhookView> {
    return this.commands.execute(new ChangeWebhook(caller, { ...input, id, version }, idempotency));
  }

  @Delete(':id')
  @Needs('webhooks:write')
  @HttpCode(204)
  @ApiOperation({ summary: 'Remove a webhook, with all that was delivered to it' })
  @ApiIfMatch()
  @ApiNoContentResponse()
  async remove(
    @CallerOf() caller: Caller,
    @IfMatch() version: string,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<void> {
    await this.commands.execute(new RemoveWebhook(caller, { id, version }));
  }

  @Post(':id/secrets')
  @Needs('webhooks:write')
  @Versioned()
  @ApiOperation({
    summary: 'Give a webhook a fresh secret, shown this once; the one before signs a while longer as well',
  })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: webhookWithSecretView })
  async rotate(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: rotateWebhookSecretInput }) input: z.output<typeof rotateWebhookSecretInput>,
  ): Promise<WebhookWithSecretView> {
    const command = new RotateWebhookSecret(caller, { ...input, id }, idempotency);
    return command.withSecret(await this.commands.execute(command));
  }
}
