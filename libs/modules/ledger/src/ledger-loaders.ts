import { Batches } from '@holdfast/http';
import { type Caller, NotFound } from '@holdfast/kernel';
import { Injectable } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { AccountView } from './accounts/account';
import { AccountsByIds } from './accounts/accounts-by-ids.query';
import type { TransferView } from './transfers/transfer';
import { TransfersByIds } from './transfers/transfer-by-id.query';

/** What GraphQL's fields look up by id, one statement for all fields of a level. Asks the bus, which authorises each. */
@Injectable()
export class LedgerLoaders {
  private readonly accounts: Batches<AccountView>;
  private readonly transfers: Batches<TransferView>;

  constructor(queries: QueryBus) {
    this.accounts = new Batches(async (caller, ids) =>
      byId(await queries.execute(new AccountsByIds(caller, { ids }))),
    );
    this.transfers = new Batches(async (caller, ids) =>
      byId(await queries.execute(new TransfersByIds(caller, { ids }))),
    );
  }

  /** Throws NotFound. */
  async account(caller: Caller, id: string): Promise<AccountView> {
    return present(await this.accounts.get(caller, id));
  }

  /** Throws NotFound. */
  async transfer(caller: Caller, id: string): Promise<TransferView> {
    return present(await this.transfers.get(caller, id));
  }
}

function byId<Value extends { readonly id: string }>(values: readonly Value[]): Map<string, Value> {
  return new Map(values.map((value) => [value.id, value]));
}

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new NotFound();
  return value;
}
