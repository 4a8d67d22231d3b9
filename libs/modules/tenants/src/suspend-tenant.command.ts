import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { stateAfter } from './tenant-state';
import { type ListedTenantView, showListedTenant } from './tenant-view';
import { tenantSuspended } from './tenants.events';
import { lockTenant, updateTenant } from './tenants.sql';

/** Why the operator changes a tenant's state. Kept in the tenant's row and in no event. */
export const reasonSchema = z
  .string()
  .trim()
  .min(1)
  .max(500)
  .meta({ examples: ['Invoices are unpaid since August.'] });

/** What POST /v1/operator/tenants/{id}/suspend takes. */
export const suspendTenantInput = z.strictObject({ reason: reasonSchema });

/**
 * Closes the tenant to its own credentials: every process refuses them within five seconds, but for the end of holds. What was
 * committed before is still delivered.
 */
export class SuspendTenant extends TenantCommand<z.output<typeof suspendTenantInput>, ListedTenantView> {
  readonly scope = 'operator';
}

@CommandHandler(SuspendTenant)
export class SuspendTenantHandler extends TenantCommandHandler<SuspendTenant> {
  protected async handle(tx: TenantTx, { input: { reason } }: SuspendTenant): Promise<ListedTenantView> {
    const locked = await lockTenant(tx);
    const state = stateAfter('suspend', locked.state);
    const tenant = await updateTenant(tx, locked, { state, reason });
    await tx.announce(announcement(tenantSuspended, { id: tx.tenantId, version: tenant.version }, {}));
    return showListedTenant(tenant);
  }
}
