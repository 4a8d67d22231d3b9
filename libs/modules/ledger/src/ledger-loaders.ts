import { Batches } from '@holdfast/http';
import { type Caller, NotFound } from '@holdfast/kernel';
import { Injectable } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { Page } from '@holdfast/cqrs';
import type { AccountView } from './accounts/account';
import { EntriesOfAccounts, type EntryView } from './accounts/account-entries.query';
import { AccountsByIds } from './accounts/accounts-by-ids.query';
import type { TransferView } from './transfers/transfer';
import { TransfersByIds } from './transfers/transfer-by-id.query';

/** Entries that one statement reads: with the longest metadata 20 MB, and far from its deadline. */
const ENTRIES_MAX = 5_000;

/** What GraphQL's fields look up by id, one statement for all fields of a level. Asks the bus, which authorises each. */
@Injectable()
export class LedgerLoaders {
  private readonly accounts: Batches<AccountView>;
  private readonly transfers: Batches<TransferView>;
  /** By how many and of which account. */
  private readonly pages: Batches<Page<EntryView>>;

  constructor(queries: QueryBus) {
    this.accounts = new Batches(async (caller, ids) =>
      byId(await queries.execute(new AccountsByIds(caller, { ids }))),
    );
    this.transfers = new Batches(async (caller, ids) =>
      byId(await queries.execute(new TransfersByIds(caller, { ids }))),
    );
    this.pages = new Batches(async (caller, keys) => {
      const found = new Map<string, Page<EntryView>>();
      for (const { limit, accountIds } of readsOf(keys)) {
        const pages = await queries.execute(new EntriesOfAccounts(caller, { accountIds, limit }));
        for (const [id, entries] of pages) found.set(`${limit} ${id}`, entries);
      }
      return found;
    });
  }

  /** The newest entries of an account, at most `limit`. */
  async entries(caller: Caller, accountId: string, limit: number): Promise<Page<EntryView>> {
    return present(await this.pages.get(caller, `${limit} ${accountId}`));
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

/** The statements that read pages of entries: for one size of page each, and for as many accounts as one may. */
function* readsOf(
  keys: readonly string[],
): Generator<{ readonly limit: number; readonly accountIds: string[] }> {
  const asked = keys.map((key) => key.split(' ') as [string, string]);
  for (const [size, group] of Map.groupBy(asked, ([limit]) => limit)) {
    const limit = Number(size);
    const accountsMax = Math.max(1, Math.floor(ENTRIES_MAX / limit));
    for (let start = 0; start < group.length; start += accountsMax)
      yield { limit, accountIds: group.slice(start, start + accountsMax).map(([, id]) => id) };
  }
}

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new NotFound();
  return value;
}
