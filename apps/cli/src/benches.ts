import { benchLedger, type LedgerFigures } from '../../../libs/modules/ledger/src/ledger.bench';
import { benchRls, formatRlsFigures } from '../../../libs/platform/tenancy/src/rls.bench';
import { type BenchSystem, withBenchSystem } from './bench-system';
import { WrongUsage } from './failures';

/** Benches by name. Each gets a server of its own and answers its figures for people. */
const BENCHES: Readonly<Record<string, (system: BenchSystem) => Promise<string>>> = {
  ledger: async ({ adminUrl, tenants, caller }) =>
    ledgerText(await benchLedger({ adminUrl, tenants, caller })),
  rls: async ({ adminUrl, urlOf, caller }) =>
    formatRlsFigures(await benchRls({ adminUrl, appUrl: urlOf('holdfast_app'), caller })),
};

/** Runs the named benches, or all, one after the other: two at a time would measure each other. */
export async function runBenches(names: readonly string[]): Promise<void> {
  const known = Object.keys(BENCHES);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new WrongUsage(`There is no bench ${unknown.join(', ')}. There are: ${known.join(', ')}.`);
  for (const name of names.length > 0 ? names : known) {
    process.stdout.write(`\n${name}\n`);
    await withBenchSystem(async (system) => void process.stdout.write(`${await BENCHES[name]?.(system)}\n`));
  }
}

function ledgerText(figures: LedgerFigures): string {
  const { plainTransactions, pgbench } = figures;
  const against = (perSecond: number): string => {
    const ratios = [`${ratio(perSecond, plainTransactions)} plain SQL`];
    if (pgbench !== null) ratios.push(`${ratio(perSecond, pgbench)} pgbench`);
    return `${Math.round(perSecond)}/s (${ratios.join(', ')})`;
  };
  return [
    `transfers in batches, one connection: ${against(figures.batchesOneConnection)}`,
    `transfers in batches, two connections: ${against(figures.batchesTwoConnections)}`,
    `transfers in batches between two accounts: ${against(figures.batchesTwoAccounts)}`,
    `single transfers through the poster: ${against(figures.singlesThroughPoster)}, p50 ${figures.singlesP50Ms.toFixed(1)} ms, p99 ${figures.singlesP99Ms.toFixed(1)} ms`,
    `plain SQL, one transaction a transfer: ${Math.round(plainTransactions)}/s`,
    pgbench === null ? 'pgbench is not installed here' : `pgbench -b tpcb-like: ${Math.round(pgbench)}/s`,
  ].join('\n');
}

const ratio = (one: number, other: number): string => `${(one / other).toFixed(1)} ×`;
