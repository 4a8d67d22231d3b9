import { type FoldReport, foldTenant } from '@holdfast/audit';
import { VerbFailed } from './failures';
import { operatedTenants } from './operated-tenants';
import { asOperator, type Operator } from './operator';
import { columns, printOutcome, showStep } from './output';

interface Asked {
  readonly tenant?: string;
  readonly json?: boolean;
}

/** What came of one tenant. */
interface Folded extends FoldReport {
  readonly tenantId: string;
  readonly slug: string | null;
}

/** Compares the tables of all tenants, or of one, with the fold of its events, prints what differs, and fails when something does. */
export async function foldTenants({ tenant, json }: Asked): Promise<void> {
  const folded = await asOperator(async (operator) => {
    const outcomes: Folded[] = [];
    for (const { id, slug } of await operatedTenants(operator, tenant))
      outcomes.push({ tenantId: id, slug, ...(await foldOne(operator, id, slug ?? id)) });
    return outcomes;
  });
  printOutcome(json, folded, text);
  const differing = sumOf(folded, ({ differenceCount }) => differenceCount);
  if (differing > 0) throw new VerbFailed(`${differing} differences`);
}

async function foldOne({ tenants, callerFor }: Operator, id: string, label: string): Promise<FoldReport> {
  const { promise, resolve } = Promise.withResolvers<FoldReport>();
  await showStep(label, async (step) => {
    const onPage = (events: number): void => step.note(`${events} events`);
    const report = await foldTenant(tenants, await callerFor(id), { onPage });
    resolve(report);
    const { differenceCount, events } = report;
    return `${differenceCount === 0 ? 'the tables are what the events say' : `${differenceCount} differences`}, ${events} events`;
  });
  return promise;
}

function text(folded: readonly Folded[]): string {
  const rows = folded.flatMap(({ tenantId, slug, differences }) =>
    differences.map(({ stream, field, table, fold }) => [
      slug ?? tenantId,
      stream,
      field,
      shown(table),
      shown(fold),
    ]),
  );
  const notes = folded.flatMap(({ tenantId, slug, prunedStreams, unknownTypes }) => [
    ...(prunedStreams > 0
      ? [
          `${slug ?? tenantId}: of ${prunedStreams} streams the first events are pruned; nothing is said of them.`,
        ]
      : []),
    ...unknownTypes.map(
      (type) => `${slug ?? tenantId}: streams of ${type} are of another release; nothing is said of them.`,
    ),
  ]);
  const aggregates = sumOf(folded, (each) => each.aggregates);
  const events = sumOf(folded, (each) => each.events);
  const differing = sumOf(folded, (each) => each.differenceCount);
  const summary = `${folded.length} tenants, ${aggregates} aggregates, ${events} events: ${
    differing === 0 ? 'the tables are what the events say' : `${differing} differences`
  }.`;
  const table = rows.length > 0 ? [columns(['tenant', 'stream', 'field', 'table', 'events'], rows)] : [];
  return [...table, ...notes, summary].join('\n\n');
}

const shown = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');

function sumOf(folded: readonly Folded[], pick: (each: Folded) => number): number {
  return folded.reduce((sum, each) => sum + pick(each), 0);
}
