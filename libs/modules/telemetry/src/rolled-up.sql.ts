import type { TelemetryStatement } from '@holdfast/clickhouse';

/** Where the hours end that are rolled up. A tenant without hours has no row: then everything is read from its rows. */
export const ROLLED_UP_UNTIL: TelemetryStatement<{ readonly until: string }> = {
  text: 'select until from telemetry.tenant_rolled_up(tenant_id = {tenant_id:UUID})',
};
