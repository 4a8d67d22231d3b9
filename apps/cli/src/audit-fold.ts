import { type FoldReport, foldTenant } from '@holdfast/audit';
// A module says what its events make once it is loaded, and the API has all of them: what is not loaded is not compared.
import '../../api/src/api.module';
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

/** Compares the tables of all tenants, or of one, with the fold of its events, prints what differs, and fails when something does or may. */
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
  if (folded.some(({ unknownTypes }) => unknownTypes.length > 0))
    throw new VerbFailed('there are streams that were not compared');
}

async function foldOne({ tenants, callerFor }: Operator, id: string, label: string): Promise<FoldReport> {
  const { promise, resolve } = Promise.withResolvers<FoldReport>();
  await showStep(label, async (step) => {
    const onPage = (events: number): void => step.note(`${events} events`);
    const report = await foldTenant(tenants, await callerFor(id), { onPage });
    resolve(report);
    return `${verdictOf([report])}, ${report.events} events`;
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
      (type) =>
        `${slug ?? tenantId}: nothing here knows what streams of ${type} make; they were not compared.`,
    ),
  ]);
  const aggregates = sumOf(folded, (each) => each.aggregates);
  const events = sumOf(folded, (each) => each.events);
  const summary = `${folded.length} tenants, ${aggregates} aggregates, ${events} events: ${verdictOf(folded)}.`;
  const table = rows.length > 0 ? [columns(['tenant', 'stream', 'field', 'table', 'events'], rows)] : [];
  return [...table, ...notes, summary].join('\n\n');
}

/** What was not compared may differ, so that nobody is told that nothing does. */
function verdictOf(folded: readonly FoldReport[]): string {
  const differing = sumOf(folded, ({ differenceCount }) => differenceCount);
  const unknown = sumOf(folded, ({ unknownTypes }) => unknownTypes.length);
  if (differing > 0) return `${differing} differences`;
  return unknown > 0 ? `${unknown} types of streams were not compared` : 'the tables are what the events say';
}

const shown = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');

function sumOf<Each extends FoldReport>(folded: readonly Each[], pick: (each: Each) => number): number {
  return folded.reduce((sum, each) => sum + pick(each), 0);
}
