import { idSchema } from '@holdfast/kernel';
import { z } from 'zod';
import type { SupportAccessRow } from './support-accesses.sql';

/** A support access on the wire, the same for the tenant and the operator. */
export const supportAccessView = z.object({
  id: idSchema,
  operator: z.string().meta({ description: 'Who acts, as `operator:<name>`.' }),
  memberId: idSchema.nullable().meta({ description: 'For whom; null: as `support:<id>`.' }),
  scopes: z.array(z.string()),
  reason: z.string(),
  startedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().meta({ description: 'When it ends by itself.' }),
  endedAt: z.iso.datetime().nullable().meta({ description: 'When somebody ended it before that.' }),
  endedBy: z.string().nullable(),
});

/** A support access just started: the one time that its secret is shown. A replay answers null in its place. */
export const startedSupportAccessView = supportAccessView.extend({
  secret: z.string().nullable().meta({ description: 'Sent as an API key is.' }),
});

/** A support access on the wire. */
export type SupportAccessView = z.output<typeof supportAccessView>;

/** Shows a row. */
export function showSupportAccess(row: SupportAccessRow): SupportAccessView {
  return {
    id: row.id,
    operator: row.operator,
    memberId: row.member_id,
    scopes: row.scopes,
    reason: row.reason,
    startedAt: row.started_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
    endedBy: row.ended_by,
  };
}
