import { type Caller, newId } from '@holdfast/kernel';
import { type Idempotency, MessagesModule } from '@holdfast/cqrs';
import { TestDatabase } from '@holdfast/testing';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Test, type TestingModule } from '@nestjs/testing';
import type { Type } from '@nestjs/common';
import { type AccountView, openAccountInput } from '../src/accounts/account';
import { AccountById } from '../src/accounts/account-by-id.query';
import { OpenAccount } from '../src/accounts/open-account.command';
import { LedgerModule } from '../src/ledger.module';
import { PostHold } from '../src/transfers/post-hold.command';
import { PostTransfer } from '../src/transfers/post-transfer.command';
import { PostTransfers } from '../src/transfers/post-transfers.command';
import { ReverseTransfer } from '../src/transfers/reverse-transfer.command';
import type { TransferView } from '../src/transfers/transfer';
import {
  postHoldInput,
  postTransferInput,
  postTransfersInput,
  reverseTransferInput,
  voidHoldInput,
} from '../src/transfers/transfer-input';
import { VoidHold } from '../src/transfers/void-hold.command';

/** The ledger without HTTP, in a database of its own, as a tenant that `enter` makes anew. */
export class LedgerApp {
  readonly commands: CommandBus;
  readonly queries: QueryBus;
  caller!: Caller;

  private constructor(
    readonly database: TestDatabase,
    readonly module: TestingModule,
  ) {
    this.commands = module.get(CommandBus);
    this.queries = module.get(QueryBus);
  }

  /** `more` are modules beside the ledger. */
  static async start(more: readonly Type[] = []): Promise<LedgerApp> {
    const database = await TestDatabase.create();
    const imports = [MessagesModule.forRoot(database.tenants()), LedgerModule, ...more];
    const module = await Test.createTestingModule({ imports }).compile();
    await module.init();
    return new LedgerApp(database, module);
  }

  async close(): Promise<void> {
    await this.module.close();
    await this.database.drop();
  }

  /** Becomes another tenant. */
  async enter(): Promise<void> {
    this.caller = await this.database.caller();
  }

  /** Opens an account, without a limit unless it is given. */
  async open(fields: object = {}): Promise<string> {
    const account = { code: newId(), asset: 'EUR/2', normalBalance: 'debit', ...fields };
    return (await this.commands.execute(new OpenAccount(this.caller, openAccountInput.parse(account)))).id;
  }

  account(id: string): Promise<AccountView> {
    return this.queries.execute(new AccountById(this.caller, { id }));
  }

  transfer(fields: object, key: Idempotency = fresh()): Promise<TransferView> {
    const input = postTransferInput.parse({ amount: '5', ...fields });
    return this.commands.execute(new PostTransfer(this.caller, input, key));
  }

  hold(fields: object): Promise<TransferView> {
    return this.transfer({ ...fields, pending: true });
  }

  post(holdId: string, fields: object = {}, key: Idempotency = fresh()): Promise<TransferView> {
    return this.commands.execute(new PostHold(this.caller, { ...postHoldInput.parse(fields), holdId }, key));
  }

  void(holdId: string, fields: object = {}, key: Idempotency = fresh()): Promise<TransferView> {
    return this.commands.execute(new VoidHold(this.caller, { ...voidHoldInput.parse(fields), holdId }, key));
  }

  reverse(transferId: string, fields: object = {}, key: Idempotency = fresh()): Promise<TransferView> {
    const input = { ...reverseTransferInput.parse(fields), transferId };
    return this.commands.execute(new ReverseTransfer(this.caller, input, key));
  }

  /** The results of a batch. */
  async batch(items: readonly object[]): Promise<string[]> {
    const input = postTransfersInput.parse({ items });
    const { results } = await this.commands.execute(new PostTransfers(this.caller, input));
    return results.map(({ result }) => result);
  }
}

/** A key that nobody has used. */
export function fresh(): Idempotency {
  return { key: newId(), replayed: false };
}
