import { type LedgerBreak, verifyLedger } from '@holdfast/ledger';
import type { ListedTenantView } from '@holdfast/tenants';
import { VerbFailed } from './failures';
import { operatedTenants } from './operated-tenants';
import { asOperator, type Operator } from './operator';
import { columns, printOutcome, showStep } from './output';

interface Asked {
  readonly tenant?: string;
  readonly full?: boolean;
  readonly json?: boolean;
}

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
    const { checked, breaks } = outcome;
    return `${breaks.length === 0 ? 'sound' : `${breaks.length} breaks`}, ${checked} rows`;
  });
  return { tenantId: id, slug, ...(outcome ?? { checked: 0, breaks: [] }) };
}

function text(verified: readonly Verified[]): string {
  const rows = verified.flatMap(({ tenantId, slug, breaks }) =>
    breaks.map(({ rule, relation, rowId, expected }) => [slug ?? tenantId, rule, relation, rowId, expected]),
  );
  const checked = verified.reduce((sum, each) => sum + each.checked, 0);
  const summary = `${verified.length} ledgers, ${checked} rows, ${rows.length} breaks`;
  if (rows.length === 0) return `${summary}: sound.`;
  return `${columns(['tenant', 'rule', 'table', 'row', 'expected'], rows)}\n\n${summary}.`;
}
