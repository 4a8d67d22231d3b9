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
import { Args, ArgsType, InputType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { PostTransfer } from './post-transfer.command';
import { postTransferInput, transferView } from './transfer';
import { TransferById } from './transfer-by-id.query';
import { Transfers } from './transfers.query';

@ObjectType()
export class Transfer extends dto(transferView, 'output') {}

@ObjectType()
export class TransferConnection extends connectionOf(Transfer) {}

@InputType('PostTransferInput')
export class PostTransferArgs extends dto(postTransferInput, 'input') {}

@ArgsType()
export class TransferArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

@Resolver(() => Transfer)
export class TransfersResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => TransferConnection, { description: 'Transfers, newest first.' })
  @Needs('ledger:read')
  async transfers(@CallerOf() caller: Caller, @Args() args: PageArgs): Promise<TransferConnection> {
    return toConnection(await this.queries.execute(new Transfers(caller, pageInputOf(args))));
  }

  @Query(() => Transfer, { description: 'A transfer.' })
  @Needs('ledger:read')
  transfer(@CallerOf() caller: Caller, @Args() { id }: TransferArgs): Promise<Transfer> {
    return this.queries.execute(new TransferById(caller, { id }));
  }

  @Mutation(() => Transfer, { description: 'Posts a transfer.' })
  @Needs('ledger:write')
  postTransfer(
    @CallerOf() caller: Caller,
    @Args('input') input: PostTransferArgs,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<Transfer> {
    return this.commands.execute(new PostTransfer(caller, input, idempotencyOf(idempotencyKey)));
  }
}
