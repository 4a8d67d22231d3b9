import type { Command } from 'commander';
import { addVerb } from '../verb';

/** `holdfast bench`. */
export function addBench(program: Command): void {
  addVerb(program, 'bench', 'Measure ratios on this machine; without a name, all of them.', [
    'bench rls',
    'bench ledger rls events',
  ])
    .argument('[names...]', 'ledger, rls, events, noisy')
    .action(async (names: readonly string[]) => {
      const { runBenches } = await import('../benches.js');
      await runBenches(names);
    });
}
