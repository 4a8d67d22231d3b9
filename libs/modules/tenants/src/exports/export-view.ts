import { idSchema } from '@holdfast/kernel';
import { z } from 'zod';

/** How far an export is. */
export const EXPORT_STATUSES = ['queued', 'running', 'completed', 'failed', 'expired'] as const;

const count = z.string().meta({ description: 'A whole number.' });

/** An export on the wire. */
export const exportView = z.object({
  id: idSchema,
  status: z.enum(EXPORT_STATUSES),
  rowsDone: count,
  rowsTotal: count.nullable().meta({ description: 'Rows when the export began; null before.' }),
  bytes: count.meta({ description: 'Bytes of NDJSON so far.' }),
  requestedBy: z.string(),
  requestedAt: z.iso.datetime(),
  completedAt: z.iso.datetime().nullable(),
  expiresAt: z.iso.datetime().nullable().meta({ description: 'Its files can be downloaded until then.' }),
});

/** An export on the wire. */
export type ExportView = z.output<typeof exportView>;

/** A file of an export: one table, a row a line. */
export const exportFileView = z.object({
  name: z.string().meta({ examples: ['ledger.accounts.ndjson'] }),
  table: z.string(),
  rows: z.int(),
  bytes: z.int(),
  sha256: z.string().meta({ description: 'Of the NDJSON, in hexadecimal.' }),
});

/** What an export holds. */
export const exportManifestView = z.object({
  format: z.literal('holdfast-export/1'),
  exportId: idSchema,
  tenantId: idSchema,
  slug: z.string(),
  requestedAt: z.iso.datetime(),
  files: z.array(exportFileView).meta({ description: 'In an order in which they can be read in again.' }),
  sha256: z.string().meta({
    description:
      'SHA-256 of what `sha256sum` prints of the files in this order: digest, two blanks, name, newline.',
  }),
});

/** A file of an export. */
export type ExportFileView = z.output<typeof exportFileView>;
/** What an export holds. */
export type ExportManifest = z.output<typeof exportManifestView>;

/** A row of tenants.exports. */
export interface ExportRow {
  readonly id: string;
  readonly status: ExportView['status'];
  readonly rows_done: bigint;
  readonly rows_total: bigint | null;
  readonly byte_count: bigint;
  readonly requested_by: string;
  readonly requested_at: Date;
  readonly completed_at: Date | null;
  readonly expires_at: Date | null;
}

/** Shows a row. */
export function showExport(row: ExportRow): ExportView {
  return {
    id: row.id,
    status: row.status,
    rowsDone: row.rows_done.toString(),
    rowsTotal: row.rows_total?.toString() ?? null,
    bytes: row.byte_count.toString(),
    requestedBy: row.requested_by,
    requestedAt: row.requested_at.toISOString(),
    completedAt: row.completed_at?.toISOString() ?? null,
    expiresAt: row.expires_at?.toISOString() ?? null,
  };
}
