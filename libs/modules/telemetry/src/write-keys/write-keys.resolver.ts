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
import { CreateWriteKey, createWriteKeyInput } from './create-write-key.command';
import { RevokeWriteKey } from './revoke-write-key.command';
import { writeKeyView } from './write-key';
import { WriteKeys } from './write-keys.query';

@ObjectType()
export class WriteKey extends dto(writeKeyView, 'output') {}

@ObjectType()
export class WriteKeyConnection extends connectionOf(WriteKey) {}

@InputType()
export class CreateWriteKeyInput extends dto(createWriteKeyInput, 'input') {}

@ArgsType()
export class WriteKeyArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

@Resolver(() => WriteKey)
export class WriteKeysResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => WriteKeyConnection, { description: 'Write keys, newest first.' })
  @Needs('telemetry:read')
  async writeKeys(@CallerOf() caller: Caller, @Args() args: PageArgs): Promise<WriteKeyConnection> {
    return toConnection(await this.queries.execute(new WriteKeys(caller, pageInputOf(args))));
  }

  @Mutation(() => WriteKey, { description: 'Makes a write key, with which telemetry is sent.' })
  @Needs('telemetry:write')
  createWriteKey(
    @CallerOf() caller: Caller,
    @Args('input') input: CreateWriteKeyInput,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<WriteKey> {
    return this.commands.execute(new CreateWriteKey(caller, input, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => ID, { description: 'Revokes a write key.' })
  @Needs('telemetry:write')
  async revokeWriteKey(@CallerOf() caller: Caller, @Args() { id }: WriteKeyArgs): Promise<string> {
    return (await this.commands.execute(new RevokeWriteKey(caller, { id }))).id;
  }
}
