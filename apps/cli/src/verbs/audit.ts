import type { Command } from 'commander';
import { addJsonVerb, lazily } from '../verb';
import { addAuditExport } from './audit-export';
import { addAuditProof } from './audit-proof';
import { addAuditVault } from './audit-vault';
import { addAuditVerify } from './audit-verify';

/** `holdfast audit …` */
export function addAudit(program: Command): void {
  const audit = program.command('audit').description('Look after the audit logs of tenants.');
  addAuditVerify(audit);
  addAuditExport(audit);
  addJsonVerb(
    audit,
    'fold',
    'Compare the tables with what the events say, while they are written to; exits with 1 when they differ, and names each field.',
    ['audit fold', 'audit fold --tenant acme', 'audit fold --json'],
  )
    .option('--tenant <tenant>', 'one tenant, by slug or id; otherwise all')
    .action(lazily(async () => (await import('../audit-fold.js')).foldTenants));
  addAuditProof(audit);
  addAuditVault(audit);
  addJsonVerb(
    audit,
    'status',
    'Show how far the log of each tenant is sealed, signed and cosigned, what verification found, and who seals.',
    ['audit status', 'audit status --tenant acme --json'],
  )
    .option('--tenant <tenant>', 'one tenant, by slug or id; otherwise all')
    .action(lazily(async () => (await import('../audit-status.js')).showAuditStatus));
}
