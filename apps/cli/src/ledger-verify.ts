import { Database } from '@holdfast/database';
import { type LedgerBreak, verifyLedger } from '@holdfast/ledger';
import { type AccountBreak, findClearingBreaks, listAccountBreaks } from '@holdfast/payments';
import { Grants } from '@holdfast/tenancy';
import type { ListedTenantView } from '@holdfast/tenants';
import { VerbFailed } from './failures';
import { operatedTenants } from './operated-tenants';
import { asOperator, type Operator } from './operator';
import { columns, printOutcome, showStep } from './output';
import { required, runningSystem } from './running-system';

interface Asked {
  readonly tenant?: string;
  readonly full?: boolean;
  readonly json?: boolean;
}

/** Breaks that are listed of a tenant: one with more is not mended one by one. */
const LISTED_MAX = 1_000;

/** Whose the clearing accounts are: they are looked at in pairs, over all tenants. */
const ALL = 'all';

/** What came of a tenant's ledger. */
interface Verified {
  readonly tenantId: string;
  readonly slug: string | null;
  readonly checked: number;
  readonly breaks: readonly LedgerBreak[];
}

/** Verifies the ledgers of all tenants or of one, prints what does not hold, and fails when something does not. */
export async function verifyLedgers({ tenant, full = false, json }: Asked): Promise<void> {
  const verified = await asOperator(async (operator) => {
    const outcomes: Verified[] = [];
    for (const each of await operatedTenants(operator, tenant))
      outcomes.push(await verifyOne(operator, each, full));
    if (tenant === undefined) outcomes.push(await verifyClearing());
    return outcomes;
  });
  printOutcome(json, verified, text);
  const broken = verified.reduce((sum, { breaks }) => sum + breaks.length, 0);
  if (broken > 0) throw new VerbFailed(`${broken} breaks`);
}

async function verifyOne(
  { tenants, callerFor }: Operator,
  { id, slug }: ListedTenantView,
  isFull: boolean,
): Promise<Verified> {
  let outcome: Awaited<ReturnType<typeof verifyLedger>> | undefined;
  await showStep(slug ?? id, async (step) => {
    const onPage = (checked: number): void => step.note(`${checked} rows`);
    outcome = await verifyLedger(tenants, await callerFor(id), { isFull, onPage });
    const accounts = await tenants.reading(await callerFor(id), (tx) => listAccountBreaks(tx, LISTED_MAX));
    outcome = { ...outcome, breaks: [...outcome.breaks, ...accounts.map(breakOfAccount)] };
    const { checked, breaks } = outcome;
    return `${breaks.length === 0 ? 'sound' : `${breaks.length} breaks`}, ${checked} rows`;
  });
  return { tenantId: id, slug, ...(outcome ?? { checked: 0, breaks: [] }) };
}

/** Whether the clearing accounts of all pairs of tenants add up to what is in flight between them. */
async function verifyClearing(): Promise<Verified> {
  const system = runningSystem();
  const open = (url: string | undefined, variable: string): Database =>
    new Database({ url: required(url, variable), name: 'holdfast cli', connectionsMax: 1 });
  const relay = open(system.databaseRelayUrl, 'DATABASE_RELAY_URL');
  const auth = open(system.databaseAuthUrl, 'DATABASE_AUTH_URL');
  const grants = new Grants(auth);
  try {
    const found = await findClearingBreaks({ relay, grants });
    const breaks = found.map(({ tenantId, counterpartyId, asset, sum, inFlight }) => ({
      ...{
        rule: 'clearing_pair',
        relation: 'payments.clearings',
        rowId: `${tenantId}/${counterpartyId}/${asset}`,
      },
      expected: `${inFlight} in flight, not ${sum}`,
    }));
    return { tenantId: ALL, slug: 'clearing accounts', checked: 0, breaks };
  } finally {
    grants.close();
    await Promise.all([relay.close(), auth.close()]);
  }
}

function breakOfAccount({ accountId, net, posted }: AccountBreak): LedgerBreak {
  const expected = `${net} posted, not ${posted}`;
  return { rule: 'clearing', relation: 'ledger.accounts', rowId: accountId, expected };
}

function text(verified: readonly Verified[]): string {
  const rows = verified.flatMap(({ tenantId, slug, breaks }) =>
    breaks.map(({ rule, relation, rowId, expected }) => [slug ?? tenantId, rule, relation, rowId, expected]),
  );
  const checked = verified.reduce((sum, each) => sum + each.checked, 0);
  const ledgers = verified.filter(({ tenantId }) => tenantId !== ALL).length;
  const summary = `${ledgers} ledgers, ${checked} rows, ${rows.length} breaks`;
  if (rows.length === 0) return `${summary}: sound.`;
  return `${columns(['tenant', 'rule', 'table', 'row', 'expected'], rows)}\n\n${summary}.`;
}
