import { idSchema } from '@holdfast/kernel';
import { z } from 'zod';

/** A row of audit.legal_holds. */
export interface LegalHoldRow {
  readonly id: string;
  readonly subject: string | null;
  readonly reason: string;
  readonly placed_by: string;
  readonly placed_at: Date;
  readonly lifted_by: string | null;
  readonly lifted_at: Date | null;
}

/** A legal hold on the wire. */
export const legalHoldView = z.object({
  id: idSchema,
  subjectId: idSchema
    .nullable()
    .meta({ description: 'Who may not be erased: a member’s id, say; null for the whole tenant.' }),
  reason: z.string(),
  placedBy: z.string().meta({ description: 'The actor that placed it.' }),
  placedAt: z.iso.datetime(),
  liftedBy: z.string().nullable(),
  liftedAt: z.iso.datetime().nullable(),
});

/** A legal hold on the wire. */
export type LegalHoldView = z.output<typeof legalHoldView>;

/** Shows a row. */
export function showLegalHold(row: LegalHoldRow): LegalHoldView {
  return {
    id: row.id,
    subjectId: row.subject,
    reason: row.reason,
    placedBy: row.placed_by,
    placedAt: row.placed_at.toISOString(),
    liftedBy: row.lifted_by,
    liftedAt: row.lifted_at?.toISOString() ?? null,
  };
}
