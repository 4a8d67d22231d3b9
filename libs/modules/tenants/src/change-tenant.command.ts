import { tenantSettings, tenantSettingsChange, VersionMismatch } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { createTenantInput } from './create-tenant.command';
import { showTenant, type TenantView } from './tenant-view';
import { tenantChanged } from './tenants.events';
import { lockTenant, updateTenant } from './tenants.sql';

/** What PATCH /v1/tenant takes. */
export const changeTenantInput = z.strictObject({
  name: createTenantInput.shape.name.optional(),
  settings: tenantSettingsChange.optional(),
});

type Change = z.output<typeof changeTenantInput> & { readonly version: string };

/** Changes the name and settings of the caller's tenant, if it still has the version that the caller has seen. */
export class ChangeTenant extends TenantCommand<Change, TenantView> {
  readonly scope = 'tenant:write';
}

@CommandHandler(ChangeTenant)
export class ChangeTenantHandler extends TenantCommandHandler<ChangeTenant> {
  protected async handle(tx: TenantTx, { input }: ChangeTenant): Promise<TenantView> {
    const locked = await lockTenant(tx);
    if (locked.version.toString() !== input.version) throw new VersionMismatch();
    const { name = locked.name, settings = {} } = input;
    const tenant = await updateTenant(tx, locked, {
      name,
      settings: { ...tenantSettings.parse(locked.settings), ...settings },
    });
    const payload = { isRenamed: name !== locked.name, settings };
    await tx.announce(announcement(tenantChanged, { id: tx.tenantId, version: tenant.version }, payload));
    return showTenant(tenant);
  }
}
