import { idSchema, instantSchema, streamNameSchema } from '@holdfast/kernel';
import { z } from 'zod';

/** Which file: events as GET /v1/audit/events shows them one a line, a table, or a bundle that can be verified. */
export const AUDIT_EXPORT_FORMATS = ['ndjson', 'csv', 'bundle'] as const;

const word = z
  .string()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}+$/u, 'Control characters are not allowed.');

/** What to export. Filters are joined by and. */
export const auditExportInput = z.strictObject({
  format: z.enum(AUDIT_EXPORT_FORMATS).meta({
    description: 'A bundle holds the whole log with its proofs and takes no filter.',
    examples: ['ndjson'],
  }),
  from: instantSchema.optional().meta({ description: 'Only events at or after this instant.' }),
  to: instantSchema.optional().meta({ description: 'Only events before this instant.' }),
  type: word.optional().meta({ description: 'Only events of this type.' }),
  actor: word.optional().meta({ description: 'Only what this actor did.' }),
  stream: streamNameSchema.optional().meta({
    description: 'Only events of this stream.',
    examples: ['ledger.transfer/019a0000-0000-7000-8000-000000000001'],
  }),
});

/** What to export. */
export type AuditExportInput = z.output<typeof auditExportInput>;

const count = z.string().meta({ description: 'A whole number.' });

/** An export of the trail on the wire. */
export const auditExportView = z.object({
  id: idSchema,
  format: z.enum(AUDIT_EXPORT_FORMATS),
  status: z.enum(['queued', 'running', 'completed', 'failed', 'expired']),
  rowsDone: count,
  rowsTotal: count.nullable().meta({
    description:
      'Events when the export began; null before, and where filters leave an unknown part of them.',
  }),
  bytes: count.meta({ description: 'Bytes of the file so far.' }),
  sha256: z.string().nullable().meta({ description: 'Of the file, in hexadecimal, once it is complete.' }),
  requestedBy: z.string(),
  requestedAt: z.iso.datetime(),
  completedAt: z.iso.datetime().nullable(),
  expiresAt: z.iso.datetime().nullable().meta({ description: 'It can be downloaded until then.' }),
});

/** An export of the trail on the wire. */
export type AuditExportView = z.output<typeof auditExportView>;

/** A row of audit.exports. */
export interface AuditExportRow {
  readonly id: string;
  readonly format: AuditExportView['format'];
  readonly status: AuditExportView['status'];
  readonly rows_done: bigint;
  readonly rows_total: bigint | null;
  readonly byte_count: bigint;
  readonly sha256: string | null;
  readonly requested_by: string;
  readonly requested_at: Date;
  readonly completed_at: Date | null;
  readonly expires_at: Date | null;
}

/** Shows a row. */
export function showAuditExport(row: AuditExportRow): AuditExportView {
  return {
    id: row.id,
    format: row.format,
    status: row.status,
    rowsDone: row.rows_done.toString(),
    rowsTotal: row.rows_total?.toString() ?? null,
    bytes: row.byte_count.toString(),
    sha256: row.sha256,
    requestedBy: row.requested_by,
    requestedAt: row.requested_at.toISOString(),
    completedAt: row.completed_at?.toISOString() ?? null,
    expiresAt: row.expires_at?.toISOString() ?? null,
  };
}
