import { type Caller, idSchema } from '@holdfast/kernel';
import {
  CallerOf,
  connectionOf,
  dto,
  idempotencyOf,
  Needs,
  OpenWhileSuspended,
  PageArgs,
  pageInputOf,
  represent,
  toConnection,
} from '@holdfast/http';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  Args,
  ArgsType,
  InputType,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import { z } from 'zod';
import { Account, Entry } from '../accounts/accounts.resolver';
import { LedgerLoaders } from '../ledger-loaders';
import { PostHold } from './post-hold.command';
import { PostTransfer } from './post-transfer.command';
import { ReverseTransfer } from './reverse-transfer.command';
import { transferView } from './transfer';
import { transfersInput } from './transfer-filter';
import { TransferById } from './transfer-by-id.query';
import {
  minBalanceAfterInput,
  postHoldInput,
  postTransferInput,
  reverseTransferInput,
  voidHoldInput,
} from './transfer-input';
import { Transfers } from './transfers.query';
import { VoidHold } from './void-hold.command';

@ObjectType()
export class Transfer extends dto(transferView, 'output') {}

@ObjectType()
export class TransferConnection extends connectionOf(Transfer) {}

@InputType('MinBalanceAfterInput')
export class MinBalanceAfterArgs extends dto(minBalanceAfterInput, 'input') {}

represent(minBalanceAfterInput, 'input', () => MinBalanceAfterArgs);

@InputType('PostTransferInput')
export class PostTransferArgs extends dto(postTransferInput, 'input') {}

/** What mutations about another transfer have beside their input. */
const following = { id: idSchema, idempotencyKey: z.string() };

@InputType()
export class PostHoldInput extends dto(postHoldInput, 'input') {}

represent(postHoldInput, 'input', () => PostHoldInput);

@ArgsType()
export class PostHoldArgs extends dto(z.strictObject({ ...following, input: postHoldInput }), 'args') {}

@InputType()
export class VoidHoldInput extends dto(voidHoldInput, 'input') {}

represent(voidHoldInput, 'input', () => VoidHoldInput);

@ArgsType()
export class VoidHoldArgs extends dto(z.strictObject({ ...following, input: voidHoldInput }), 'args') {}

@InputType()
export class ReverseTransferInput extends dto(reverseTransferInput, 'input') {}

represent(reverseTransferInput, 'input', () => ReverseTransferInput);

@ArgsType()
export class ReverseTransferArgs extends dto(
  z.strictObject({ ...following, input: reverseTransferInput }),
  'args',
) {}

@ArgsType()
export class TransferArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

const { accountId, kind, status, from, to, effectiveFrom, effectiveTo } = transfersInput.shape;

// A GraphQL client may send null for what it leaves out.
@ArgsType()
export class TransfersArgs extends dto(
  PageArgs.schema.extend({
    accountId: accountId.nullable(),
    kind: kind.nullable(),
    status: status.nullable(),
    from: from.nullable(),
    to: to.nullable(),
    effectiveFrom: effectiveFrom.nullable(),
    effectiveTo: effectiveTo.nullable(),
  }),
  'args',
) {}

@Resolver(() => Transfer)
export class TransfersResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly loaders: LedgerLoaders,
  ) {}

  @Query(() => TransferConnection, { description: 'Transfers, newest first.' })
  @Needs('ledger:read')
  async transfers(@CallerOf() caller: Caller, @Args() args: TransfersArgs): Promise<TransferConnection> {
    const filters = {
      accountId: args.accountId ?? undefined,
      kind: args.kind ?? undefined,
      status: args.status ?? undefined,
      from: args.from ?? undefined,
      to: args.to ?? undefined,
      effectiveFrom: args.effectiveFrom ?? undefined,
      effectiveTo: args.effectiveTo ?? undefined,
    };
    return toConnection(
      await this.queries.execute(new Transfers(caller, { ...pageInputOf(args), ...filters })),
    );
  }

  @Query(() => Transfer, { description: 'A transfer, with what became of it.' })
  @Needs('ledger:read')
  transfer(@CallerOf() caller: Caller, @Args() { id }: TransferArgs): Promise<Transfer> {
    return this.queries.execute(new TransferById(caller, { id }));
  }

  @ResolveField(() => Account, { description: 'The debited account.' })
  @Needs('ledger:read')
  debitAccount(@CallerOf() caller: Caller, @Parent() { debitAccountId }: Transfer): Promise<Account> {
    return this.loaders.account(caller, debitAccountId);
  }

  @ResolveField(() => Account, { description: 'The credited account.' })
  @Needs('ledger:read')
  creditAccount(@CallerOf() caller: Caller, @Parent() { creditAccountId }: Transfer): Promise<Account> {
    return this.loaders.account(caller, creditAccountId);
  }

  @Mutation(() => Transfer, { description: 'Posts a transfer, or places a hold.' })
  @Needs('ledger:write')
  postTransfer(
    @CallerOf() caller: Caller,
    @Args('input') input: PostTransferArgs,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<Transfer> {
    return this.commands.execute(new PostTransfer(caller, input, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => Transfer, {
    description: 'Posts a hold, in part or whole; answers the transfer that posted it.',
  })
  @Needs('ledger:write')
  @OpenWhileSuspended()
  postHold(
    @CallerOf() caller: Caller,
    @Args() { id: holdId, input, idempotencyKey }: PostHoldArgs,
  ): Promise<Transfer> {
    const command = new PostHold(caller, { ...input, holdId }, idempotencyOf(idempotencyKey));
    return this.commands.execute(command);
  }

  @Mutation(() => Transfer, { description: 'Gives a hold back; answers what ended it.' })
  @Needs('ledger:write')
  @OpenWhileSuspended()
  voidHold(
    @CallerOf() caller: Caller,
    @Args() { id: holdId, input, idempotencyKey }: VoidHoldArgs,
  ): Promise<Transfer> {
    const command = new VoidHold(caller, { ...input, holdId }, idempotencyOf(idempotencyKey));
    return this.commands.execute(command);
  }

  @Mutation(() => Transfer, { description: 'Reverses a posted transfer; answers the transfer back.' })
  @Needs('ledger:write')
  reverseTransfer(
    @CallerOf() caller: Caller,
    @Args() { id: transferId, input, idempotencyKey }: ReverseTransferArgs,
  ): Promise<Transfer> {
    const command = new ReverseTransfer(caller, { ...input, transferId }, idempotencyOf(idempotencyKey));
    return this.commands.execute(command);
  }
}

/** The transfer behind an entry. */
@Resolver(() => Entry)
export class EntryTransferResolver {
  constructor(private readonly loaders: LedgerLoaders) {}

  @ResolveField(() => Transfer, { description: 'The transfer whose side this is.' })
  @Needs('ledger:read')
  transfer(@CallerOf() caller: Caller, @Parent() { transferId }: Entry): Promise<Transfer> {
    return this.loaders.transfer(caller, transferId);
  }
}
