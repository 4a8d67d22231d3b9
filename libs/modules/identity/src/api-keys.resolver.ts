import { type Caller, idSchema } from '@holdfast/kernel';
import {
  CallerOf,
  connectionOf,
  dto,
  idempotencyOf,
  Needs,
  PageArgs,
  pageInputOf,
  toConnection,
} from '@holdfast/http';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, ID, InputType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { generateApiKey } from './api-key';
import { apiKeyView, createdApiKeyView } from './api-key-view';
import { ApiKeyById } from './api-key.query';
import { ApiKeys } from './api-keys.query';
import { CreateApiKey, createApiKeyInput } from './create-api-key.command';
import { RevokeApiKey } from './revoke-api-key.command';
import { RotateApiKey, rotateApiKeyInput } from './rotate-api-key.command';

@ObjectType()
export class ApiKey extends dto(apiKeyView, 'output') {}

@ObjectType()
export class CreatedApiKey extends dto(createdApiKeyView, 'output') {}

@InputType()
export class CreateApiKeyInput extends dto(createApiKeyInput, 'input') {}

@ArgsType()
export class RotateApiKeyArgs extends dto(
  rotateApiKeyInput.extend({ id: idSchema, idempotencyKey: z.string() }),
  'args',
) {}

@ArgsType()
export class ApiKeyArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

@ObjectType()
export class ApiKeyConnection extends connectionOf(ApiKey) {}

@Resolver(() => ApiKey)
export class ApiKeysResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => ApiKeyConnection, { description: 'API keys, newest first.' })
  @Needs('keys:read')
  async apiKeys(@CallerOf() caller: Caller, @Args() args: PageArgs): Promise<ApiKeyConnection> {
    const keys = await this.queries.execute(new ApiKeys(caller, pageInputOf(args)));
    return toConnection(keys);
  }

  @Query(() => ApiKey, { description: 'One API key.' })
  @Needs('keys:read')
  apiKey(@CallerOf() caller: Caller, @Args() { id }: ApiKeyArgs): Promise<ApiKey> {
    return this.queries.execute(new ApiKeyById(caller, { id }));
  }

  @Mutation(() => CreatedApiKey, { description: 'Makes an API key; its secret is shown this once.' })
  @Needs('keys:write')
  async createApiKey(
    @CallerOf() caller: Caller,
    @Args('input') input: CreateApiKeyInput,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<CreatedApiKey> {
    const secret = generateApiKey('live');
    const idempotency = idempotencyOf(idempotencyKey);
    const key = await this.commands.execute(new CreateApiKey(caller, input, secret, idempotency));
    return { ...key, secret: idempotency.replayed ? null : secret.text };
  }

  @Mutation(() => CreatedApiKey, {
    description: 'Gives an API key a fresh secret, shown this once; the one before works a while longer.',
  })
  @Needs('keys:write')
  async rotateApiKey(
    @CallerOf() caller: Caller,
    @Args() { id, overlapSeconds, idempotencyKey }: RotateApiKeyArgs,
  ): Promise<CreatedApiKey> {
    const rotation = new RotateApiKey(caller, { id, overlapSeconds }, idempotencyOf(idempotencyKey));
    return rotation.withSecret(await this.commands.execute(rotation));
  }

  @Mutation(() => ID, { description: 'Ends an API key.' })
  @Needs('keys:write')
  async revokeApiKey(@CallerOf() caller: Caller, @Args() { id }: ApiKeyArgs): Promise<string> {
    return (await this.commands.execute(new RevokeApiKey(caller, { id }))).id;
  }
}
