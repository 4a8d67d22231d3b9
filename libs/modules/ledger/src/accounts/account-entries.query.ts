import { type Caller, NotFound } from '@holdfast/kernel';
import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { dayView, digitsView, instantView, metadataSchema } from '../ledger-values';
import { balancesView, showBalances, type TotalsRow } from './account';

/** What an entry is: see the table above `ledger.post_items`. */
export const entryKinds = ['transfer', 'hold', 'post', 'void', 'expiry', 'reversal'] as const;

/**
 * One side of a transfer, seen from one account. A hold, a void and an expiry change what is pending and nothing posted; a
 * post does both.
 */
export const entryView = z.object({
  version: digitsView,
  kind: z.enum(entryKinds),
  direction: z.enum(['debit', 'credit']),
  amount: digitsView,
  counterpartyAccountId: z.guid(),
  transferId: z.guid(),
  balancesAfter: balancesView,
  effectiveDate: dayView,
  metadata: metadataSchema,
  bookedAt: instantView,
});
export type EntryView = z.output<typeof entryView>;

/** Which entries to list. */
export const entriesInput = z.strictObject({ ...pageInput });

type Input = z.output<typeof entriesInput> & { readonly accountId: string };

/** The entries of an account, newest first. Throws NotFound. */
export class AccountEntries extends TenantQuery<Input, Page<EntryView>> {
  readonly scope = 'ledger:read';
}

/** The newest entries of several accounts, at most `limit` of each, by account. */
export class EntriesOfAccounts extends TenantQuery<
  { readonly accountIds: readonly string[]; readonly limit: number },
  ReadonlyMap<string, Page<EntryView>>
> {
  readonly scope = 'ledger:read';
}

/** The columns of an entry, as its statements name them. */
export interface EntryRow extends TotalsRow {
  readonly version: bigint;
  readonly kind: EntryView['kind'];
  readonly direction: EntryView['direction'];
  readonly amount: bigint;
  readonly counterparty_account_id: string;
  readonly transfer_id: string;
  readonly effective_date: string;
  readonly metadata: Record<string, unknown>;
  readonly booked_at: string;
}

const FIND_ACCOUNT = statement<{ id: string }>(
  'ledger.find_account_id',
  'select id from ledger.accounts where tenant_id = $1 and id = $2',
);

// Of each account each leg is read from its own index, newest first; the two pages are merged by version.
const LIST = statement<EntryRow & { readonly account_id: string }>(
  'ledger.list_entries',
  `select a.id as account_id, e.version, e.kind, e.direction, e.amount, e.counterparty_account_id, e.transfer_id,
     e.posted_debits, e.posted_credits, e.pending_debits, e.pending_credits, e.effective_date, e.metadata, e.booked_at
   from unnest($2::uuid[], $3::bigint[]) a (id, before)
   cross join lateral (
     select version, kind, direction, amount, counterparty_account_id, transfer_id, posted_debits, posted_credits,
       coalesce(pending_debits, 0) as pending_debits, coalesce(pending_credits, 0) as pending_credits,
       effective_date::text as effective_date, metadata,
       to_char(booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as booked_at
     from (
       (select debit_version as version, kind, 'debit' as direction, amount, credit_account_id as counterparty_account_id,
          id as transfer_id, debit_account_debits as posted_debits, debit_account_credits as posted_credits,
          debit_account_held_debits as pending_debits, debit_account_held_credits as pending_credits, effective_date, metadata,
          booked_at
        from ledger.transfers
        where tenant_id = $1 and debit_account_id = a.id and debit_version < a.before and refusal is null
        order by debit_version desc
        limit $4)
       union all
       (select credit_version, kind, 'credit', amount, debit_account_id, id, credit_account_debits, credit_account_credits,
          credit_account_held_debits, credit_account_held_credits, effective_date, metadata, booked_at
        from ledger.transfers
        where tenant_id = $1 and credit_account_id = a.id and credit_version < a.before and refusal is null
        order by credit_version desc
        limit $4)) legs
     order by version desc
     limit $4) e
   order by a.id, e.version desc`,
);

/** Above every version: where the first page begins. */
const LAST_VERSION = '9223372036854775807';

const cursors = new Cursors('ledger.entries', z.tuple([z.guid(), z.string().regex(/^[1-9][0-9]{0,17}$/)]));

@QueryHandler(AccountEntries)
export class AccountEntriesHandler implements IQueryHandler<AccountEntries> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: AccountEntries): Promise<Page<EntryView>> {
    const { accountId, limit } = input;
    const [, before] = cursors.decode(caller, input.after) ?? [accountId, LAST_VERSION];
    const [account, rows] = await this.tenants.reading(caller, (tx) =>
      Promise.all([
        tx.row(FIND_ACCOUNT, [tx.tenantId, accountId]),
        tx.rows(LIST, [tx.tenantId, [accountId], [before], limit + 1]),
      ]),
    );
    if (!account) throw new NotFound();
    return pageOf(caller, accountId, rows, limit);
  }
}

@QueryHandler(EntriesOfAccounts)
export class EntriesOfAccountsHandler implements IQueryHandler<EntriesOfAccounts> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: EntriesOfAccounts): Promise<ReadonlyMap<string, Page<EntryView>>> {
    const { accountIds, limit } = input;
    const before = accountIds.map(() => LAST_VERSION);
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, accountIds, before, limit + 1]);
    const byAccount = Map.groupBy(rows, ({ account_id: id }) => id);
    return new Map(accountIds.map((id) => [id, pageOf(caller, id, byAccount.get(id) ?? [], limit)]));
  }
}

function pageOf(
  caller: Caller,
  accountId: string,
  rows: readonly EntryRow[],
  limit: number,
): Page<EntryView> {
  return page(rows, limit, showEntry, ({ version }) => cursors.encode(caller, [accountId, String(version)]));
}

/** The entry as callers see it. */
export function showEntry(row: EntryRow): EntryView {
  return {
    version: String(row.version),
    kind: row.kind,
    direction: row.direction,
    amount: String(row.amount),
    counterpartyAccountId: row.counterparty_account_id,
    transferId: row.transfer_id,
    balancesAfter: showBalances(row),
    effectiveDate: row.effective_date,
    metadata: row.metadata,
    bookedAt: row.booked_at,
  };
}
