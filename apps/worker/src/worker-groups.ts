import type { StoreGroup, TenantGroup } from '@holdfast/events';
import { ClickHouseGroup, type TelemetryStore } from '@holdfast/telemetry';
import { usageGroup } from '@holdfast/tenants';

/** Every consumer group whose effect is in a tenant's own database. */
export function tenantGroups(): readonly TenantGroup[] {
  return [usageGroup];
}

/** Every consumer group that is a store outside PostgreSQL. */
export function storeGroups(telemetry: TelemetryStore): readonly StoreGroup[] {
  return [new ClickHouseGroup(telemetry)];
}
