import { createHash } from 'node:crypto';
import type { AccountStatementPage } from './account-statement.query';
import { codeOf, readableOf } from './asset-amount';
import type { StatementEntry, StatementHead } from './statement';

const STYLE = `
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, sans-serif; color: #1b1f24; margin: 2.5rem auto; max-width: 62rem; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }
header p { margin: .25rem 0 0; color: #57606a; }
dl { display: grid; grid-template-columns: repeat(4, 1fr); gap: 1px; background: #d0d7de; border: 1px solid #d0d7de; margin: 1.75rem 0; }
dl div { background: #fff; padding: .7rem .9rem; }
dt { color: #57606a; font-size: .8rem; }
dd { margin: .15rem 0 0; font-size: 1.1rem; font-weight: 600; font-variant-numeric: tabular-nums; }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; font-size: .8rem; font-weight: 600; color: #57606a; border-bottom: 2px solid #1b1f24; padding: .4rem .5rem; }
td { border-bottom: 1px solid #e4e8ec; padding: .4rem .5rem; vertical-align: top; overflow-wrap: anywhere; }
td small { display: block; color: #57606a; }
td:first-child { white-space: nowrap; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.edge td { font-weight: 600; }
.held { color: #57606a; font-style: italic; }
footer { margin-top: 1.5rem; color: #57606a; font-size: .8rem; }
@page { size: A4; margin: 16mm; }
@media print {
  body { font-size: 10pt; margin: 0; max-width: none; padding: 0; }
  thead { display: table-header-group; }
  tr, dl { break-inside: avoid; }
}
`;

/** What a browser may do with the page: apply its one style sheet, which is named by its hash. */
export const STATEMENT_POLICY =
  `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; ` +
  `base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** What people call the kinds of entries. */
const KINDS: Readonly<Record<StatementEntry['kind'], string>> = {
  transfer: 'Transfer',
  hold: 'Hold placed',
  post: 'Hold posted',
  void: 'Hold given back',
  expiry: 'Hold expired',
  reversal: 'Reversal',
};

/** A statement as a page to read and print: one file, no scripts, nothing loaded from anywhere. */
export function statementHtml({ head, entries }: AccountStatementPage): string {
  const title = `Statement of ${head.code}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escaped(title)}</h1>
<p>${instantOf(head.from)} to ${instantOf(head.to)}. Amounts in ${escaped(codeOf(head.asset))}; balances count ${head.normalBalance}s as positive.</p>
</header>
${summaryOf(head)}
<table>
<thead>
<tr><th>Booked (UTC)</th><th>Entry</th><th>Other account</th><th class="number">Debit</th><th class="number">Credit</th><th class="number">Balance</th></tr>
</thead>
<tbody>
${edgeOf('Opening balance', head.from, readableOf(head.asset, head.opening.balance))}
${entries.data.map((entry) => rowOf(head, entry)).join('\n')}
${edgeOf('Closing balance', head.to, readableOf(head.asset, head.closing.balance))}
</tbody>
</table>
<footer>Account ${escaped(head.accountId)}, versions ${head.opening.version} to ${head.closing.version}. Amounts in italics are held: they are not in the balance until they are posted.</footer>
</body>
</html>
`;
}

function summaryOf({ asset, opening, closing, totals }: StatementHead): string {
  const items = [
    ['Opening balance', opening.balance],
    ['Debits', totals.postedDebits],
    ['Credits', totals.postedCredits],
    ['Closing balance', closing.balance],
  ] as const;
  const boxes = items.map(
    ([name, amount]) => `<div><dt>${name}</dt><dd>${readableOf(asset, amount)}</dd></div>`,
  );
  return `<dl>${boxes.join('')}</dl>`;
}

function edgeOf(name: string, at: string, balance: string): string {
  return `<tr class="edge"><td>${instantOf(at)}</td><td colspan="4">${name}</td><td class="number">${balance}</td></tr>`;
}

function rowOf({ asset }: StatementHead, entry: StatementEntry): string {
  const { kind, direction, bookedAt, effectiveDate } = entry;
  const isHeld = kind === 'hold' || kind === 'void' || kind === 'expiry';
  const amount = readableOf(asset, kind === 'void' || kind === 'expiry' ? `-${entry.amount}` : entry.amount);
  const cell = (side: StatementEntry['direction']): string =>
    `<td class="number${isHeld ? ' held' : ''}">${side === direction ? amount : ''}</td>`;
  const effective = bookedAt.startsWith(effectiveDate)
    ? ''
    : `<small>effective ${escaped(effectiveDate)}</small>`;
  const metadata =
    Object.keys(entry.metadata).length > 0 ? `<small>${escaped(notesOf(entry.metadata))}</small>` : '';
  return [
    `<tr><td>${instantOf(bookedAt)}${effective}</td><td>${KINDS[kind]}${metadata}</td>`,
    `<td>${escaped(entry.counterpartyCode)}</td>${cell('debit')}${cell('credit')}`,
    `<td class="number">${readableOf(asset, entry.balance)}</td></tr>`,
  ].join('');
}

function notesOf(metadata: StatementEntry['metadata']): string {
  return Object.entries(metadata)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
}

/** To the second; the microseconds are in JSON and CSV. */
function instantOf(instant: string): string {
  return escaped(instant.slice(0, 19).replace('T', ' '));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (sign) => ENTITIES[sign] ?? '');
}
