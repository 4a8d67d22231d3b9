import type { AccountStatementPage } from './account-statement.query';
import { decimalOf } from './asset-amount';
import type { StatementEdge, StatementEntry, StatementHead } from './statement';

const COLUMNS = [
  ...['account', 'version', 'booked_at', 'effective_date', 'kind', 'direction', 'amount', 'balance'],
  ...['posted_debits', 'posted_credits', 'pending_debits', 'pending_credits'],
  ...['counterparty', 'counterparty_account_id', 'transfer_id', 'metadata'],
] as const;

type Fields = Partial<Readonly<Record<(typeof COLUMNS)[number], string>>>;

/** What spreadsheets take for the beginning of a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/** A text that a tenant wrote, so that no spreadsheet computes it: `=1+1` is written as `'=1+1`. */
function guarded(text: string): string {
  return FORMULA.test(text) ? `'${text}` : text;
}

/**
 * A statement as CSV (RFC 4180): a row of names, the opening balance, the entries, the closing balance. Amounts are decimal
 * numbers of the asset. Reads a page at a time, as fast as the client takes them.
 */
export async function* statementCsv(
  first: AccountStatementPage,
  next: (after: string) => Promise<AccountStatementPage>,
): AsyncGenerator<string> {
  const { head } = first;
  yield rowOf(Object.fromEntries(COLUMNS.map((name) => [name, name])));
  yield rowOf(edgeOf(head, 'opening', head.opening, head.from));
  for (let { entries } = first; ;) {
    yield entries.data.map((entry) => rowOf(entryOf(head, entry))).join('');
    if (entries.nextCursor === null) break;
    ({ entries } = await next(entries.nextCursor));
  }
  yield rowOf(edgeOf(head, 'closing', head.closing, head.to));
}

function edgeOf(head: StatementHead, kind: string, edge: StatementEdge, at: string): Fields {
  const { version } = edge;
  return { account: guarded(head.code), version, booked_at: at, kind, ...totalsOf(head, edge) };
}

function entryOf(head: StatementHead, entry: StatementEntry): Fields {
  return {
    account: guarded(head.code),
    version: entry.version,
    booked_at: entry.bookedAt,
    effective_date: entry.effectiveDate,
    kind: entry.kind,
    direction: entry.direction,
    amount: decimalOf(head.asset, entry.amount),
    ...totalsOf(head, { balance: entry.balance, balances: entry.balancesAfter }),
    counterparty: guarded(entry.counterpartyCode),
    counterparty_account_id: entry.counterpartyAccountId,
    transfer_id: entry.transferId,
    metadata: JSON.stringify(entry.metadata),
  };
}

function totalsOf(
  { asset }: StatementHead,
  { balance, balances }: Pick<StatementEdge, 'balance' | 'balances'>,
): Fields {
  return {
    balance: decimalOf(asset, balance),
    posted_debits: decimalOf(asset, balances.postedDebits),
    posted_credits: decimalOf(asset, balances.postedCredits),
    pending_debits: decimalOf(asset, balances.pendingDebits),
    pending_credits: decimalOf(asset, balances.pendingCredits),
  };
}

function rowOf(fields: Fields): string {
  return `${COLUMNS.map((name) => quoted(fields[name] ?? '')).join(',')}\r\n`;
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
