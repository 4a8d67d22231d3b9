import { newId } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, requireQuota, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { insertTask } from '@holdfast/tasks';
import { type ExportView, showExport } from './export-view';
import { exportRequested } from './exports.events';
import { COUNT_EXPORTS_OF_A_DAY, insertExport } from './exports.sql';

/** Asks for everything that the caller's tenant has. A worker writes it; whoever asks looks how far it is. */
export class RequestExport extends TenantCommand<Record<string, never>, ExportView> {
  readonly scope = 'exports:write';
}

@CommandHandler(RequestExport)
export class RequestExportHandler extends TenantCommandHandler<RequestExport> {
  protected async handle(tx: TenantTx): Promise<ExportView> {
    const id = newId();
    await requireQuota(tx, 'exportsPerDay', COUNT_EXPORTS_OF_A_DAY);
    const row = await insertExport(tx, id);
    await insertTask(tx, 'export', id);
    await tx.announce(announcement(exportRequested, { id, version: 1n }, {}));
    return showExport(row);
  }
}
