import type { Command } from 'commander';
import { addJsonVerb, lazily } from '../verb';

const several = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** `holdfast audit verify` */
export function addAuditVerify(audit: Command): void {
  addJsonVerb(
    audit,
    'verify',
    'Verify audit logs: against the rows of the database, over HTTP, or in an export; exits with 1 when one does not hold, and names leaf, event and field.',
    [
      'audit verify',
      'audit verify --tenant acme --against last-month.ndjson.gz --memory /var/lib/holdfast/signer',
      'audit verify --export acme.ndjson --key "$(cat acme.key)"',
      'audit verify --receipt receipt.txt',
      'audit verify --url https://api.example.com --api-key-file acme.secret',
    ],
  )
    .option('--tenant <tenant>', 'one tenant, by slug or id; otherwise all')
    .option('--key <key>', 'a verifier key that you trust (repeatable)', several)
    .option(
      '--checkpoint <file>',
      'a checkpoint that you kept: the log has to continue it (repeatable)',
      several,
    )
    .option('--against <bundle>', 'an export that you kept: the log has to continue it')
    .option('--memory <directory>', 'what the signer remembers: AUDIT_SIGNER_DIRECTORY')
    .option('--rate <events>', 'verify at most so many events a second')
    .option('--export <file>', 'verify this file, and ask no database')
    .option('--url <url>', 'verify what an API serves, with an API key of the tenant')
    .option(
      '--receipt <receipt>',
      'a Holdfast-Receipt header, or a file of one: the events that it names have to be in the log, unaltered (repeatable)',
      several,
    )
    .option(
      '--receipt-events <file>',
      'the lines of events of a receipt that has their number and root alone',
    )
    .option('--api-key-file <file>', 'where that key stands')
    .action(lazily(async () => (await import('../audit-verify.js')).verifyAudit));
}
