import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId } from '@holdfast/kernel';
import { type Idempotency, MessagesModule } from '@holdfast/cqrs';
import type { TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Test, type TestingModule } from '@nestjs/testing';
import type { Type } from '@nestjs/common';
import { type AccountView, openAccountInput } from '../src/accounts/account';
import { AccountById } from '../src/accounts/account-by-id.query';
import { OpenAccount } from '../src/accounts/open-account.command';
import { LedgerModule } from '../src/ledger.module';
import { postBatch, type Posting } from '../src/posting/post-batch.sql';
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
import { plainPosting } from './test-ledger';

/** The ledger without HTTP, in a database of its own, as a tenant that `enter` makes anew. */
export class LedgerApp {
  readonly commands: CommandBus;
  readonly queries: QueryBus;
  caller!: Caller;

  private constructor(
    readonly database: TestDatabase,
    readonly tenants: TenantDatabase,
    readonly module: TestingModule,
  ) {
    this.commands = module.get(CommandBus);
    this.queries = module.get(QueryBus);
  }

  /** `more` are modules beside the ledger. */
  static async start(more: readonly Type[] = []): Promise<LedgerApp> {
    const database = await TestDatabase.create();
    const tenants = database.tenants();
    const imports = [MessagesModule.forRoot(tenants), LedgerModule, ...more];
    const module = await Test.createTestingModule({ imports }).compile();
    await module.init();
    return new LedgerApp(database, tenants, module);
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

  /** Posts past the commands and answers the results: a batch of whatever the database takes. */
  async book(...changes: readonly Partial<Posting>[]): Promise<string[]> {
    const postings = changes.map((change) => plainPosting(this.caller, change));
    const results = await this.tenants.transaction(this.caller, (tx) => postBatch(tx, postings));
    return results.map(({ result }) => result);
  }

  /** Until so many connections wait for a lock: nobody else uses this database. */
  async untilWaiting(wanted: number): Promise<void> {
    const find = `select 1 from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`;
    while ((await this.database.admin(find, [this.database.name])).length < wanted) await sleep(10);
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
