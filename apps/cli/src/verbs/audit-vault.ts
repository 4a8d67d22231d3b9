import type { Command } from 'commander';
import { addJsonVerb, lazily } from '../verb';

/** `holdfast audit vault …` */
export function addAuditVault(audit: Command): void {
  const vault = audit.command('vault').description('Look after the keys of personal values.');
  addJsonVerb(
    vault,
    'mend',
    'Seal key files under the first VAULT_KEY, and find keys that are named and gone, as behind a restore; exits with 1 when there are such.',
    ['audit vault mend', 'audit vault mend --tenant acme --discard'],
  )
    .option('--tenant <tenant>', 'one tenant, by slug or id; otherwise all')
    .option(
      '--discard',
      'remove the values that are under keys which are gone, so that others can be written',
    )
    .action(lazily(async () => (await import('../audit-vault.js')).mendVaults));
}
