import type { Command } from 'commander';
import { addJsonVerb, lazily } from '../verb';

/** `holdfast audit proof` and `holdfast audit checkpoint` */
export function addAuditProof(audit: Command): void {
  addJsonVerb(
    audit,
    'proof <event>',
    'Prove that an event is in the log, by one file that is verified without us (c2sp.org/tlog-proof).',
    [
      'audit proof 019a0000-0000-7000-8000-000000000001 --out event.tlog-proof',
      'audit proof 019a0000-0000-7000-8000-000000000001 --tenant acme --json',
    ],
  )
    .option('--tenant <tenant>', 'the tenant, by slug or id; otherwise whichever has the event')
    .option('--out <file>', 'write the proof there')
    .action(lazily(async () => (await import('../audit-proof.js')).proveEvent));
  addJsonVerb(
    audit,
    'checkpoint',
    'Print the newest signed checkpoint of each log. Kept elsewhere, it is what `audit verify --checkpoint` holds the log to.',
    ['audit checkpoint --tenant acme > acme.checkpoint', 'audit checkpoint --json'],
  )
    .option('--tenant <tenant>', 'one tenant, by slug or id; otherwise all')
    .action(lazily(async () => (await import('../audit-proof.js')).showCheckpoints));
}
