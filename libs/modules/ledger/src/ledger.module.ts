import { TenantDatabase } from '@holdfast/tenancy';
import { Module } from '@nestjs/common';
import { AccountByIdHandler } from './accounts/account-by-id.query';
import { AccountEntriesHandler, EntriesOfAccountsHandler } from './accounts/account-entries.query';
import { AccountsByIdsHandler } from './accounts/accounts-by-ids.query';
import { AccountsController } from './accounts/accounts.controller';
import { AccountsHandler } from './accounts/accounts.query';
import { AccountsResolver } from './accounts/accounts.resolver';
import { ChangeAccountHandler } from './accounts/change-account.command';
import { CloseAccountHandler, ReopenAccountHandler } from './accounts/close-account.command';
import { OpenAccountHandler } from './accounts/open-account.command';
import { TrialBalanceHandler } from './accounts/trial-balance.query';
import { LedgerLoaders } from './ledger-loaders';
import { AccountStatementHandler } from './statements/account-statement.query';
import { StatementsController } from './statements/statements.controller';
import { StatementsResolver } from './statements/statements.resolver';
import { ClosePeriodHandler, ReopenPeriodHandler } from './periods/close-period.command';
import { PeriodHandler } from './periods/period.query';
import { PeriodsController } from './periods/periods.controller';
import { PeriodsResolver } from './periods/periods.resolver';
import { Poster, posterOver } from './posting/poster';
import { PostHoldHandler } from './transfers/post-hold.command';
import { PostTransferHandler } from './transfers/post-transfer.command';
import { PostTransfersHandler } from './transfers/post-transfers.command';
import { ReverseTransferHandler } from './transfers/reverse-transfer.command';
import { TransferByIdHandler, TransfersByIdsHandler } from './transfers/transfer-by-id.query';
import { TransfersController } from './transfers/transfers.controller';
import { TransfersHandler } from './transfers/transfers.query';
import { EntryTransferResolver, TransfersResolver } from './transfers/transfers.resolver';
import { VoidHoldHandler } from './transfers/void-hold.command';
import './ledger.aggregates';

/** Accounts, transfers, and the poster between them. Needs the application's TenantDatabase. */
@Module({
  controllers: [AccountsController, StatementsController, PeriodsController, TransfersController],
  providers: [
    { provide: Poster, useFactory: posterOver, inject: [TenantDatabase] },
    OpenAccountHandler,
    CloseAccountHandler,
    ReopenAccountHandler,
    ChangeAccountHandler,
    AccountByIdHandler,
    AccountsHandler,
    AccountsByIdsHandler,
    LedgerLoaders,
    AccountEntriesHandler,
    EntriesOfAccountsHandler,
    TrialBalanceHandler,
    AccountsResolver,
    AccountStatementHandler,
    StatementsResolver,
    ClosePeriodHandler,
    ReopenPeriodHandler,
    PeriodHandler,
    PeriodsResolver,
    PostTransferHandler,
    PostTransfersHandler,
    PostHoldHandler,
    VoidHoldHandler,
    ReverseTransferHandler,
    TransferByIdHandler,
    TransfersByIdsHandler,
    TransfersHandler,
    TransfersResolver,
    EntryTransferResolver,
  ],
})
export class LedgerModule {}
