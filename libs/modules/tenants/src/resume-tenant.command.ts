import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { deleteTask } from '@holdfast/tasks';
import { stateAfter } from './tenant-state';
import { type ListedTenantView, showListedTenant } from './tenant-view';
import { tenantResumed } from './tenants.events';
import { lockTenant, updateTenant } from './tenants.sql';

/** Opens a tenant again that was suspended or waits for its erasure, which is taken back. */
export class ResumeTenant extends TenantCommand<Record<string, never>, ListedTenantView> {
  readonly scope = 'operator';
}

@CommandHandler(ResumeTenant)
export class ResumeTenantHandler extends TenantCommandHandler<ResumeTenant> {
  protected async handle(tx: TenantTx): Promise<ListedTenantView> {
    const locked = await lockTenant(tx);
    const state = stateAfter('resume', locked.state);
    const tenant = await updateTenant(tx, locked, { state, reason: null, erasure: null });
    await deleteTask(tx, 'erasure', tx.tenantId);
    await tx.announce(announcement(tenantResumed, { id: tx.tenantId, version: tenant.version }, {}));
    return showListedTenant(tenant);
  }
}
