import { type Caller, idSchema } from '@holdfast/kernel';
import {
  CallerOf,
  connectionOf,
  dto,
  idempotencyOf,
  Needs,
  PageArgs,
  pageInputOf,
  represent,
  toConnection,
} from '@holdfast/http';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, ID, InputType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { ChangeWebhook, changeWebhookInput } from './change-webhook.command';
import { CreateWebhook, createWebhookInput } from './create-webhook.command';
import { RemoveWebhook } from './remove-webhook.command';
import { RotateWebhookSecret, rotateWebhookSecretInput } from './rotate-webhook-secret.command';
import { secretView, webhookView, webhookWithSecretView } from './webhook';
import { WebhookById, Webhooks } from './webhooks.query';

@ObjectType()
export class WebhookSecret extends dto(secretView, 'output') {}
represent(secretView, 'output', () => WebhookSecret);

@ObjectType()
export class Webhook extends dto(webhookView, 'output') {}

@ObjectType()
export class WebhookWithSecret extends dto(webhookWithSecretView, 'output') {}

@ObjectType()
export class WebhookConnection extends connectionOf(Webhook) {}

@InputType()
export class CreateWebhookInput extends dto(createWebhookInput, 'input') {}

const version = z.string().max(20);

@ArgsType()
export class ChangeWebhookArgs extends dto(
  changeWebhookInput.extend({ id: idSchema, version, idempotencyKey: z.string() }),
  'args',
) {}

@ArgsType()
export class RotateWebhookArgs extends dto(
  rotateWebhookSecretInput.extend({ id: idSchema, idempotencyKey: z.string() }),
  'args',
) {}

@ArgsType()
export class WebhookArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

@ArgsType()
export class RemoveWebhookArgs extends dto(z.strictObject({ id: idSchema, version }), 'args') {}

@Resolver(() => Webhook)
export class WebhooksResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => WebhookConnection, { description: 'Webhooks, newest first.' })
  @Needs('webhooks:read')
  async webhooks(@CallerOf() caller: Caller, @Args() args: PageArgs): Promise<WebhookConnection> {
    return toConnection(await this.queries.execute(new Webhooks(caller, pageInputOf(args))));
  }

  @Query(() => Webhook, { description: 'One webhook.' })
  @Needs('webhooks:read')
  webhook(@CallerOf() caller: Caller, @Args() { id }: WebhookArgs): Promise<Webhook> {
    return this.queries.execute(new WebhookById(caller, { id }));
  }

  @Mutation(() => WebhookWithSecret, { description: 'Makes a webhook; its secret is shown this once.' })
  @Needs('webhooks:write')
  async createWebhook(
    @CallerOf() caller: Caller,
    @Args('input') input: CreateWebhookInput,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<WebhookWithSecret> {
    const command = new CreateWebhook(caller, input, idempotencyOf(idempotencyKey));
    return command.withSecret(await this.commands.execute(command));
  }

  @Mutation(() => Webhook, { description: 'Changes a webhook, or switches it off or on.' })
  @Needs('webhooks:write')
  changeWebhook(
    @CallerOf() caller: Caller,
    @Args() { idempotencyKey, ...change }: ChangeWebhookArgs,
  ): Promise<Webhook> {
    return this.commands.execute(new ChangeWebhook(caller, change, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => ID, { description: 'Removes a webhook, with all that was delivered to it.' })
  @Needs('webhooks:write')
  async removeWebhook(
    @CallerOf() caller: Caller,
    @Args() { id, version: of }: RemoveWebhookArgs,
  ): Promise<string> {
    return (await this.commands.execute(new RemoveWebhook(caller, { id, version: of }))).id;
  }

  @Mutation(() => WebhookWithSecret, {
    description:
      'Gives a webhook a fresh secret, shown this once; the one before signs a while longer as well.',
  })
  @Needs('webhooks:write')
  async rotateWebhook(
    @CallerOf() caller: Caller,
    @Args() { idempotencyKey, ...rotation }: RotateWebhookArgs,
  ): Promise<WebhookWithSecret> {
    const command = new RotateWebhookSecret(caller, rotation, idempotencyOf(idempotencyKey));
    return command.withSecret(await this.commands.execute(command));
  }
}
