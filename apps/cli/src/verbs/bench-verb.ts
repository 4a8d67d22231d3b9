import type { Command } from 'commander';
import { BENCH_NAMES } from '../bench-names';
import { addVerb } from '../verb';

/** `holdfast bench`. */
export function addBench(program: Command): void {
  addVerb(program, 'bench', 'Measure ratios on this machine; without a name, all of them.', [
    'bench rls',
    'bench ledger rls events',
    'bench delivery --quick',
  ])
    .argument('[names...]', BENCH_NAMES.join(', '))
    .option(
      '--seconds <number>',
      'delivery: how long a transaction stays open; ledger: twenty windows; sagas: ten; ingest: how long it runs steadily',
      '60',
    )
    .option('--quick', 'the same as --seconds 6')
    .action(async (names: readonly string[], { seconds, quick }: { seconds: string; quick?: boolean }) => {
      const { runBenches } = await import('../benches.js');
      await runBenches(names, { seconds: quick ? 6 : Math.max(1, Number(seconds) || 60) });
    });
}
