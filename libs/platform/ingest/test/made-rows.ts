import { randomUUID } from 'node:crypto';
import type { TelemetryBatch, TelemetryRow } from '../src/telemetry-sink';

/** A row of a tenant that says which it is. */
export function madeRow(tenantId: string, number: number): TelemetryRow {
  return { tenantId, priority: 'normal', line: JSON.stringify({ tenant_id: tenantId, number }) };
}

/** A batch of so many rows of the tenant. */
export function madeBatch(tenantId: string, rows: number, padding = ''): TelemetryBatch {
  const token = randomUUID();
  return {
    table: 'tracked',
    token,
    rows: Array.from({ length: rows }, (_, number) => ({
      tenantId,
      priority: 'normal',
      line: JSON.stringify({ token, number, padding }),
    })),
  };
}
