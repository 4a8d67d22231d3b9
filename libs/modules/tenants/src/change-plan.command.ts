import { PLAN_NAMES } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type ListedTenantView, showListedTenant } from './tenant-view';
import { tenantPlanChanged } from './tenants.events';
import { lockTenant, updateTenant } from './tenants.sql';

/** What PATCH /v1/operator/tenants/{id} takes. */
export const changePlanInput = z.strictObject({
  plan: z.enum(PLAN_NAMES).meta({ description: 'Takes effect within five seconds.' }),
});

/** Puts the tenant on another plan. What it has beyond the new quotas stays; it only gets no more. */
export class ChangePlan extends TenantCommand<z.output<typeof changePlanInput>, ListedTenantView> {
  readonly scope = 'operator';
}

@CommandHandler(ChangePlan)
export class ChangePlanHandler extends TenantCommandHandler<ChangePlan> {
  protected async handle(tx: TenantTx, { input: { plan } }: ChangePlan): Promise<ListedTenantView> {
    const locked = await lockTenant(tx);
    if (locked.plan === plan) return showListedTenant(locked);
    const tenant = await updateTenant(tx, locked, { plan });
    await tx.announce(
      announcement(tenantPlanChanged, { id: tx.tenantId, version: tenant.version }, { plan }),
    );
    return showListedTenant(tenant);
  }
}
