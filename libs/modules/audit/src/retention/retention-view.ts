import { z } from 'zod';

const keepDays = z
  .int()
  .min(30)
  .max(36_500)
  .nullable()
  .meta({ description: 'For how many days events are kept, 30 at least; null: for ever.' });

/** How long the tenant's events are kept, on the wire. */
export const auditRetentionView = z.object({ keepDays });

/** How long the tenant's events are kept, on the wire. */
export type AuditRetentionView = z.output<typeof auditRetentionView>;

/** What PATCH /v1/audit/retention takes. */
export const changeAuditRetentionInput = z.strictObject({ keepDays });
