import { type Caller, idSchema } from '@holdfast/kernel';
import { type Idempotency, type Page, pageOf } from '@holdfast/cqrs';
import {
  ApiIdempotencyKey,
  ApiIfMatch,
  CallerOf,
  IdempotencyKey,
  IfMatch,
  Needs,
  Versioned,
} from '@holdfast/http';
import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import {
  accountView,
  type AccountView,
  changeAccountInput,
  openAccountInput,
  type OpenAccountInput,
} from './account';
import { AccountById, accountInput } from './account-by-id.query';
import { AccountEntries, entriesInput, entryView, type EntryView } from './account-entries.query';
import { Accounts, accountsInput } from './accounts.query';
import { ChangeAccount } from './change-account.command';
import { CloseAccount, ReopenAccount } from './close-account.command';
import { OpenAccount } from './open-account.command';
import {
  TrialBalance,
  trialBalanceInput,
  trialBalanceView,
  type TrialBalanceView,
} from './trial-balance.query';

@ApiTags('ledger')
@Controller('v1/ledger')
export class AccountsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post('accounts')
  @Needs('ledger:write')
  @Versioned('revision')
  @ApiOperation({ summary: 'Open an account' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: accountView })
  open(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: openAccountInput }) input: OpenAccountInput,
  ): Promise<AccountView> {
    return this.commands.execute(new OpenAccount(caller, input, idempotency));
  }

  @Get('accounts')
  @Needs('ledger:read')
  @ApiOperation({ summary: 'List accounts, newest first' })
  @ApiOkResponse({ standardSchema: pageOf(accountView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: accountsInput }) input: z.output<typeof accountsInput>,
  ): Promise<Page<AccountView>> {
    return this.queries.execute(new Accounts(caller, input));
  }

  @Get('accounts/:id')
  @Needs('ledger:read')
  @Versioned('revision')
  @ApiOperation({ summary: 'Read an account with its totals, as of now or of a past instant' })
  @ApiOkResponse({ standardSchema: accountView })
  read(
    @CallerOf() caller: Caller,
    @Param('id', { schema: idSchema }) id: string,
    @Query({ schema: accountInput }) input: z.output<typeof accountInput>,
  ): Promise<AccountView> {
    return this.queries.execute(new AccountById(caller, { ...input, id }));
  }

  @Patch('accounts/:id')
  @Needs('ledger:write')
  @Versioned('revision')
  @ApiOperation({ summary: 'Replace an account’s metadata' })
  @ApiIdempotencyKey()
  @ApiIfMatch()
  @ApiOkResponse({ standardSchema: accountView })
  change(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @IfMatch() revision: string,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: changeAccountInput }) input: z.output<typeof changeAccountInput>,
  ): Promise<AccountView> {
    return this.commands.execute(new ChangeAccount(caller, { ...input, id, revision }, idempotency));
  }

  @Post('accounts/:id/close')
  @Needs('ledger:write')
  @HttpCode(200)
  @Versioned('revision')
  @ApiOperation({
    summary: 'Close an account: it takes nothing new, and holds that are open still end on it',
  })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: accountView })
  close(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<AccountView> {
    return this.commands.execute(new CloseAccount(caller, { id }, idempotency));
  }

  @Post('accounts/:id/reopen')
  @Needs('ledger:write')
  @HttpCode(200)
  @Versioned('revision')
  @ApiOperation({ summary: 'Open a closed account again' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: accountView })
  reopen(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<AccountView> {
    return this.commands.execute(new ReopenAccount(caller, { id }, idempotency));
  }

  @Get('accounts/:id/entries')
  @Needs('ledger:read')
  @ApiOperation({ summary: "List an account's entries, newest first" })
  @ApiOkResponse({ standardSchema: pageOf(entryView) })
  entries(
    @CallerOf() caller: Caller,
    @Param('id', { schema: idSchema }) accountId: string,
    @Query({ schema: entriesInput }) input: z.output<typeof entriesInput>,
  ): Promise<Page<EntryView>> {
    return this.queries.execute(new AccountEntries(caller, { ...input, accountId }));
  }

  @Get('trial-balance')
  @Needs('ledger:read')
  @ApiOperation({ summary: 'Add up all accounts, by asset, as of now or of a past instant' })
  @ApiOkResponse({ standardSchema: trialBalanceView })
  trialBalance(
    @CallerOf() caller: Caller,
    @Query({ schema: trialBalanceInput }) input: z.output<typeof trialBalanceInput>,
  ): Promise<TrialBalanceView> {
    return this.queries.execute(new TrialBalance(caller, input));
  }
}
