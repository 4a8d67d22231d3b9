import type { Command } from 'commander';
import { addJsonVerb, lazily } from '../verb';

/** `holdfast ledger …` */
export function addLedger(program: Command): void {
  const ledger = program.command('ledger').description('Look after the ledgers of tenants.');
  addJsonVerb(
    ledger,
    'verify',
    'Verify that ledgers hold, while they are posted to; exits with 1 when one does not, and names each row.',
    ['ledger verify', 'ledger verify --tenant acme --full', 'ledger verify --full --json'],
  )
    .option('--tenant <tenant>', 'one tenant, by slug or id; otherwise all')
    .option('--full', 'everything, and not only what was booked since a worker last verified it')
    .action(lazily(async () => (await import('../ledger-verify.js')).verifyLedgers));
}
