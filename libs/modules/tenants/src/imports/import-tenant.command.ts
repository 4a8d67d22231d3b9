import { tenantSettings } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { tenantImported } from '../tenants.events';
import { lockTenant, updateTenant } from '../tenants.sql';
import { beginImport, finishImport, importPage } from './imports.sql';

/** What an import takes over of the line that an export holds of its tenant. */
export const importedTenantInput = z.object({ name: z.string(), settings: tenantSettings });

/** Opens an empty tenant for an export; said again, goes on with it. */
export class BeginImport extends TenantCommand<{ readonly sha256: string }, null> {
  readonly scope = 'operator';
}

/** Reads lines of one file of the export in, in their order; answers how many rows were not there already. */
export class ImportRows extends TenantCommand<
  { readonly table: string; readonly lines: readonly string[] },
  { readonly stored: number }
> {
  readonly scope = 'operator';
}

/** Ends the import: takes over name and settings, and says in the tenant's own stream what it was filled from. */
export class FinishImport extends TenantCommand<
  { readonly sha256: string; readonly tenant: z.output<typeof importedTenantInput> },
  null
> {
  readonly scope = 'operator';
}

@CommandHandler(BeginImport)
export class BeginImportHandler extends TenantCommandHandler<BeginImport> {
  protected async handle(tx: TenantTx, { input: { sha256 } }: BeginImport): Promise<null> {
    await beginImport(tx, sha256);
    return null;
  }
}

@CommandHandler(ImportRows)
export class ImportRowsHandler extends TenantCommandHandler<ImportRows> {
  protected async handle(tx: TenantTx, { input }: ImportRows): Promise<{ readonly stored: number }> {
    return { stored: Number(await importPage(tx, input.table, input.lines)) };
  }
}

@CommandHandler(FinishImport)
export class FinishImportHandler extends TenantCommandHandler<FinishImport> {
  protected async handle(tx: TenantTx, { input: { sha256, tenant } }: FinishImport): Promise<null> {
    const locked = await lockTenant(tx);
    await finishImport(tx, sha256);
    const { version } = await updateTenant(tx, locked, tenant);
    await tx.announce(announcement(tenantImported, { id: tx.tenantId, version }, { sha256 }));
    return null;
  }
}
