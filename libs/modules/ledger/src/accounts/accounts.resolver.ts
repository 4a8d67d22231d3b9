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
import { LedgerLoaders } from '../ledger-loaders';
import { accountView, balancesView, changeAccountInput, openAccountInput } from './account';
import { AccountById, accountInput } from './account-by-id.query';
import { AccountEntries, entryView } from './account-entries.query';
import { Accounts } from './accounts.query';
import { ChangeAccount } from './change-account.command';
import { CloseAccount, ReopenAccount } from './close-account.command';
import { OpenAccount } from './open-account.command';
import { assetTotalsView, TrialBalance, trialBalanceInput } from './trial-balance.query';

@ObjectType()
export class AccountBalances extends dto(balancesView, 'output') {}

represent(balancesView, 'output', () => AccountBalances);

@ObjectType()
export class Account extends dto(accountView, 'output') {}

@ObjectType()
export class AccountConnection extends connectionOf(Account) {}

@ObjectType()
export class Entry extends dto(entryView, 'output') {}

@ObjectType()
export class EntryConnection extends connectionOf(Entry) {}

@ObjectType()
export class AssetTotals extends dto(assetTotalsView, 'output') {}

@InputType('OpenAccountInput')
export class OpenAccountArgs extends dto(openAccountInput, 'input') {}

@ArgsType()
export class AccountArgs extends dto(
  z.strictObject({ id: idSchema, at: accountInput.shape.at.nullish() }),
  'args',
) {}

@ArgsType()
export class TrialBalanceArgs extends dto(
  z.strictObject({ at: trialBalanceInput.shape.at.nullish() }),
  'args',
) {}

@ArgsType()
export class AccountCommandArgs extends dto(
  z.strictObject({ id: idSchema, idempotencyKey: z.string() }),
  'args',
) {}

@ArgsType()
export class ChangeAccountArgs extends dto(
  changeAccountInput.extend({ id: idSchema, revision: z.string().max(20), idempotencyKey: z.string() }),
  'args',
) {}

@Resolver(() => Account)
export class AccountsResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly loaders: LedgerLoaders,
  ) {}

  @Query(() => AccountConnection, { description: 'Accounts, newest first.' })
  @Needs('ledger:read')
  async accounts(@CallerOf() caller: Caller, @Args() args: PageArgs): Promise<AccountConnection> {
    return toConnection(await this.queries.execute(new Accounts(caller, pageInputOf(args))));
  }

  @Query(() => Account, { description: 'An account with its totals, as of now or of a past instant.' })
  @Needs('ledger:read')
  account(@CallerOf() caller: Caller, @Args() { id, at }: AccountArgs): Promise<Account> {
    return this.queries.execute(new AccountById(caller, { id, at: at ?? undefined }));
  }

  @ResolveField(() => EntryConnection, { description: 'Its entries, newest first.' })
  @Needs('ledger:read')
  async entries(
    @CallerOf() caller: Caller,
    @Parent() { id }: Account,
    @Args() args: PageArgs,
  ): Promise<EntryConnection> {
    const input = { ...pageInputOf(args), accountId: id };
    if (input.after === undefined) return toConnection(await this.loaders.entries(caller, id, input.limit));
    return toConnection(await this.queries.execute(new AccountEntries(caller, input)));
  }

  @Query(() => [AssetTotals], {
    description: 'What all accounts add up to, by asset, as of now or of a past instant.',
  })
  @Needs('ledger:read')
  async trialBalance(@CallerOf() caller: Caller, @Args() { at }: TrialBalanceArgs): Promise<AssetTotals[]> {
    return (await this.queries.execute(new TrialBalance(caller, { at: at ?? undefined }))).data;
  }

  @Mutation(() => Account, { description: 'Opens an account.' })
  @Needs('ledger:write')
  openAccount(
    @CallerOf() caller: Caller,
    @Args('input') input: OpenAccountArgs,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<Account> {
    return this.commands.execute(new OpenAccount(caller, input, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => Account, { description: 'Replaces an account’s metadata.' })
  @Needs('ledger:write')
  changeAccount(
    @CallerOf() caller: Caller,
    @Args() { idempotencyKey, ...change }: ChangeAccountArgs,
  ): Promise<Account> {
    return this.commands.execute(new ChangeAccount(caller, change, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => Account, { description: 'Closes an account for what is new.' })
  @Needs('ledger:write')
  closeAccount(
    @CallerOf() caller: Caller,
    @Args() { id, idempotencyKey }: AccountCommandArgs,
  ): Promise<Account> {
    return this.commands.execute(new CloseAccount(caller, { id }, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => Account, { description: 'Opens a closed account again.' })
  @Needs('ledger:write')
  reopenAccount(
    @CallerOf() caller: Caller,
    @Args() { id, idempotencyKey }: AccountCommandArgs,
  ): Promise<Account> {
    return this.commands.execute(new ReopenAccount(caller, { id }, idempotencyOf(idempotencyKey)));
  }
}
