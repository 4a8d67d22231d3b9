import { idSchema } from '@holdfast/kernel';
import type { WriteKeySigner } from '@holdfast/ingest';
import { z } from 'zod';

/** A write key on the wire. */
export const writeKeyView = z.object({
  id: idSchema,
  name: z.string(),
  key: z
    .string()
    .nullable()
    .meta({
      description:
        'What senders of telemetry are given. It is public: it may be shown again, and in a browser. Null where this ' +
        'installation signs no write keys.',
    }),
  createdBy: z.string().meta({ description: 'The actor that made the key.' }),
  createdAt: z.iso.datetime(),
  revokedAt: z.iso.datetime().nullable(),
});

/** A write key on the wire. */
export type WriteKeyView = z.output<typeof writeKeyView>;

/** A write key as it is stored: its text is none of it. */
export interface WriteKeyRow {
  readonly id: string;
  readonly name: string;
  readonly created_by: string;
  readonly created_at: Date;
  readonly revoked_at: Date | null;
  readonly version: bigint;
}

/** Signs the keys of this installation; without a private key none is made. */
export class WriteKeySigning {
  constructor(readonly signer: WriteKeySigner | undefined) {}

  /** Shows a row of the tenant. */
  show(tenantId: string, row: WriteKeyRow): WriteKeyView {
    return {
      id: row.id,
      name: row.name,
      key: this.signer?.write({ keyId: row.id, tenantId }) ?? null,
      createdBy: row.created_by,
      createdAt: row.created_at.toISOString(),
      revokedAt: row.revoked_at?.toISOString() ?? null,
    };
  }
}
