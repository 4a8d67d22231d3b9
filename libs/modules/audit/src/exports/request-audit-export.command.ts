import { newId } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { insertTask } from '@holdfast/tasks';
import { announcement, requireQuota, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { type AuditExportInput, type AuditExportView, showAuditExport } from './audit-export-view';
import { BundleNotFiltered } from './audit-exports.errors';
import { auditExportRequested } from './audit-exports.events';
import { COUNT_AUDIT_EXPORTS_OF_A_DAY, insertAuditExport } from './audit-exports.sql';

/** Asks for a copy of the trail, or of the sealed log. A worker writes it; whoever asks looks how far it is. */
export class RequestAuditExport extends TenantCommand<AuditExportInput, AuditExportView> {
  readonly scope = 'audit:read';
}

@CommandHandler(RequestAuditExport)
export class RequestAuditExportHandler extends TenantCommandHandler<RequestAuditExport> {
  protected async handle(tx: TenantTx, { input }: RequestAuditExport): Promise<AuditExportView> {
    const id = newId();
    const { format, ...filters } = input;
    if (format === 'bundle' && Object.values(filters).some((filter) => filter !== undefined))
      throw new BundleNotFiltered();
    await requireQuota(tx, 'exportsPerDay', COUNT_AUDIT_EXPORTS_OF_A_DAY);
    const row = await insertAuditExport(tx, id, input);
    await insertTask(tx, 'audit-export', id);
    await tx.announce(announcement(auditExportRequested, { id, version: 1n }, { format }));
    return showAuditExport(row);
  }
}
