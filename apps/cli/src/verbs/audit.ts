import type { Command } from 'commander';
import { addAuditExport } from './audit-export';
import { addAuditVerify } from './audit-verify';

/** `holdfast audit …` */
export function addAudit(program: Command): void {
  const audit = program.command('audit').description('Look after the audit logs of tenants.');
  addAuditVerify(audit);
  addAuditExport(audit);
}
