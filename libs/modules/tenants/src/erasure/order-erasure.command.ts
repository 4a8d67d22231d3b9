import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { insertTask } from '@holdfast/tasks';
import { stateAfter } from '../tenant-state';
import { type ListedTenantView, showListedTenant } from '../tenant-view';
import { SlugNotConfirmed } from '../tenants.errors';
import { tenantErasureRequested } from '../tenants.events';
import { lockTenant, updateTenant } from '../tenants.sql';

/** What POST /v1/operator/tenants/{id}/erase takes. */
export const orderErasureInput = z.strictObject({
  graceDays: z
    .int()
    .min(0)
    .max(90)
    .default(30)
    .meta({ description: 'Days within which resuming the tenant takes the erasure back.' }),
  confirmSlug: z.string().meta({ description: 'The slug of the tenant, typed once more.' }),
});

const DAY_MS = 86_400_000;

/** Closes the tenant and has it erased when the days of grace are over. */
export class OrderErasure extends TenantCommand<z.output<typeof orderErasureInput>, ListedTenantView> {
  readonly scope = 'operator';
}

@CommandHandler(OrderErasure)
export class OrderErasureHandler extends TenantCommandHandler<OrderErasure> {
  protected async handle(tx: TenantTx, { input }: OrderErasure): Promise<ListedTenantView> {
    const locked = await lockTenant(tx);
    if (input.confirmSlug !== locked.slug) throw new SlugNotConfirmed();
    const state = stateAfter('close', locked.state);
    const requestedAt = new Date();
    const dueAt = new Date(requestedAt.getTime() + input.graceDays * DAY_MS);
    const tenant = await updateTenant(tx, locked, { state, erasure: { requestedAt, dueAt } });
    await insertTask(tx, 'erasure', tx.tenantId, dueAt);
    await tx.announce(
      announcement(
        tenantErasureRequested,
        { id: tx.tenantId, version: tenant.version },
        { dueAt: dueAt.toISOString() },
      ),
    );
    return showListedTenant(tenant);
  }
}
