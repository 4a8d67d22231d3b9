import { type TenantSettings, tenantSettings } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import type { TenantTx } from './tenant-tx';

const FIND = statement<{ settings: unknown }>(
  'tenancy.find_settings',
  'select tenancy.settings() as settings',
);

/** What the transaction's tenant has decided for itself; the defaults for what it has not. */
export async function settingsOf(tx: TenantTx): Promise<TenantSettings> {
  return tenantSettings.parse((await tx.row(FIND))?.settings ?? {});
}
