import { type Caller, InvalidInput, NotFound } from '@holdfast/kernel';
import { CursorInvalid, Cursors, page, type Page, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type EntryRow, showEntry } from '../accounts/account-entries.query';
import { type AccountView, showBalances, type TotalsRow } from '../accounts/account';
import type { StatementEdge, StatementEntry, StatementHead, StatementInput } from './statement';

/** A statement's head, and one page of its entries. */
export interface AccountStatementPage {
  readonly head: StatementHead;
  readonly entries: Page<StatementEntry>;
}

/**
 * The statement of an account: where it stood, what was booked, where it stands. All pages are of one statement, since cursors
 * carry its last version: what is booked meanwhile is not in it. Throws NotFound, and InvalidInput where it would begin in the
 * future.
 */
export class AccountStatement extends TenantQuery<
  StatementInput & { readonly accountId: string },
  AccountStatementPage
> {
  readonly scope = 'ledger:read';
}

type EdgeOf<Name extends string> = {
  readonly [Key in keyof TotalsRow | 'version' as `${Name}_${Key}`]: bigint;
};
interface HeadRow extends EdgeOf<'opening'>, EdgeOf<'closing'>, EdgeOf<'page'> {
  readonly id: string;
  readonly code: string;
  readonly asset: string;
  readonly normal_balance: AccountView['normalBalance'];
  readonly from_at: string;
  readonly to_at: string;
  readonly is_ahead: boolean;
}

// The edges are found by halving, so a statement costs the same whatever was booked before and behind it. $5 and $6 are the
// closing version and the last one shown, which the pages after the first know already.
const FIND_HEAD = statement<HeadRow>(
  'ledger.find_statement',
  `with period as materialized (
     select coalesce($3::timestamptz, '-infinity') as from_at, least($4::timestamptz, ledger.clock()) as to_at),
   edges as materialized (
     select a.id, a.code, a.asset, a.normal_balance, greatest(p.from_at, a.opened_at) as from_at, p.to_at,
       p.from_at > p.to_at as is_ahead, ledger.version_before(a.id, p.from_at) as opening_version,
       coalesce($5::bigint, ledger.version_before(a.id, p.to_at)) as closing_version
     from ledger.accounts a
     cross join period p
     where a.tenant_id = $1 and a.id = $2)
   select e.id, e.code, e.asset, e.normal_balance, e.is_ahead,
     to_char(e.from_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as from_at,
     to_char(e.to_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as to_at,
     e.opening_version, o.posted_debits as opening_posted_debits, o.posted_credits as opening_posted_credits,
     o.pending_debits as opening_pending_debits, o.pending_credits as opening_pending_credits,
     e.closing_version, c.posted_debits as closing_posted_debits, c.posted_credits as closing_posted_credits,
     c.pending_debits as closing_pending_debits, c.pending_credits as closing_pending_credits,
     coalesce($6::bigint, e.opening_version) as page_version, s.posted_debits as page_posted_debits,
     s.posted_credits as page_posted_credits, s.pending_debits as page_pending_debits,
     s.pending_credits as page_pending_credits
   from edges e
   cross join lateral ledger.balances_at(e.id, e.opening_version) o
   cross join lateral ledger.balances_at(e.id, e.closing_version) c
   cross join lateral ledger.balances_at(e.id, coalesce($6::bigint, e.opening_version)) s`,
);

// Each leg is read from its own index, the first first; the two pages are merged by version.
const LIST = statement<EntryRow & { readonly counterparty_code: string }>(
  'ledger.list_statement_entries',
  `select l.version, l.kind, l.direction, l.amount, l.counterparty_account_id, l.transfer_id, l.posted_debits, l.posted_credits,
     coalesce(l.pending_debits, 0) as pending_debits, coalesce(l.pending_credits, 0) as pending_credits,
     l.effective_date::text as effective_date, l.metadata, a.code as counterparty_code,
     to_char(l.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as booked_at
   from (
     (select debit_version as version, kind, 'debit' as direction, amount, credit_account_id as counterparty_account_id,
        id as transfer_id, debit_account_debits as posted_debits, debit_account_credits as posted_credits,
        debit_account_held_debits as pending_debits, debit_account_held_credits as pending_credits, effective_date, metadata,
        booked_at
      from ledger.transfers
      where tenant_id = $1 and debit_account_id = $2 and debit_version > $3 and debit_version <= $4 and refusal is null
      order by debit_version
      limit $5)
     union all
     (select credit_version, kind, 'credit', amount, debit_account_id, id, credit_account_debits, credit_account_credits,
        credit_account_held_debits, credit_account_held_credits, effective_date, metadata, booked_at
      from ledger.transfers
      where tenant_id = $1 and credit_account_id = $2 and credit_version > $3 and credit_version <= $4 and refusal is null
      order by credit_version
      limit $5)
     order by version
     limit $5) l
   join ledger.accounts a on a.tenant_id = $1 and a.id = l.counterparty_account_id
   order by l.version
   limit $5`,
);

const version = z.string().regex(/^(?:0|[1-9][0-9]{0,18})$/);
/** The account, what was asked for, the end of the statement as instant and version, and the last version shown. */
const cursors = new Cursors(
  'ledger.statement',
  z.tuple([z.guid(), z.string(), z.string(), z.string(), version, version]),
);

@QueryHandler(AccountStatement)
export class AccountStatementHandler implements IQueryHandler<AccountStatement> {
  constructor(private readonly tenants: TenantDatabase) {}

  execute({ caller, input }: AccountStatement): Promise<AccountStatementPage> {
    return this.tenants.reading(caller, async (tx) => {
      const row = await getHead(tx, caller, input);
      const { accountId, from = '', to = '', limit } = input;
      const rows = await tx.rows(LIST, [
        tx.tenantId,
        accountId,
        row.page_version,
        row.closing_version,
        limit + 1,
      ]);
      const show = (entry: (typeof rows)[number]): StatementEntry => ({
        ...showEntry(entry),
        counterpartyCode: entry.counterparty_code,
        balance: String(balanceOf(row.normal_balance, entry)),
      });
      const entries = page(rows, limit, show, (entry) =>
        cursors.encode(caller, [
          accountId,
          from,
          to,
          row.to_at,
          String(row.closing_version),
          String(entry.version),
        ]),
      );
      return { head: showHead(row, entries.data.at(-1)), entries };
    });
  }
}

async function getHead(tx: TenantTx, caller: Caller, input: AccountStatement['input']): Promise<HeadRow> {
  const { accountId, from = '', to = '' } = input;
  const [id, fromBefore, toBefore, until, closing, last] = cursors.decode(caller, input.after) ?? [
    accountId,
    from,
    to,
    input.to,
  ];
  // A cursor is of one statement: with another account or time it would join pages of two.
  if (id !== accountId || fromBefore !== from || toBefore !== to) throw new CursorInvalid();
  const row = await tx.row(FIND_HEAD, [tx.tenantId, accountId, input.from, until, closing, last]);
  if (!row) throw new NotFound();
  if (row.is_ahead)
    throw new InvalidInput([
      { pointer: '/from', code: 'in_future', message: 'The instant has not come yet.' },
    ]);
  return row;
}

function showHead(row: HeadRow, last: StatementEntry | undefined): StatementHead {
  const opening = showEdge(row, 'opening');
  const closing = showEdge(row, 'closing');
  const pageOpening = showEdge(row, 'page');
  return {
    accountId: row.id,
    code: row.code,
    asset: row.asset,
    normalBalance: row.normal_balance,
    from: row.from_at,
    to: row.to_at,
    opening,
    closing,
    totals: {
      postedDebits: String(row.closing_posted_debits - row.opening_posted_debits),
      postedCredits: String(row.closing_posted_credits - row.opening_posted_credits),
      entries: String(row.closing_version - row.opening_version),
    },
    pageOpening,
    pageClosing: last
      ? { version: last.version, balance: last.balance, balances: last.balancesAfter }
      : pageOpening,
  };
}

function showEdge(row: HeadRow, name: 'opening' | 'closing' | 'page'): StatementEdge {
  const totals = {
    posted_debits: row[`${name}_posted_debits`],
    posted_credits: row[`${name}_posted_credits`],
    pending_debits: row[`${name}_pending_debits`],
    pending_credits: row[`${name}_pending_credits`],
  };
  return {
    version: String(row[`${name}_version`]),
    balance: String(balanceOf(row.normal_balance, totals)),
    balances: showBalances(totals),
  };
}

function balanceOf(normalBalance: AccountView['normalBalance'], totals: TotalsRow): bigint {
  const balance = totals.posted_debits - totals.posted_credits;
  return normalBalance === 'debit' ? balance : -balance;
}
