import { idSchema, NotFound } from '@holdfast/kernel';
import { Database, statement, SystemTx } from '@holdfast/database';
import { z } from 'zod';

/** What is left of an erased tenant. */
export const receiptView = z.object({
  tenantId: idSchema,
  erasedAt: z.iso.datetime(),
  receipt: z
    .string()
    .meta({ description: 'A JWS in compact form; the keys are at /v1/operator/receipts/jwks.' }),
});

/** What is left of an erased tenant. */
export type ReceiptView = z.output<typeof receiptView>;

/** Public keys that verify receipts (RFC 7517). */
export const keySetView = z.object({ keys: z.array(z.record(z.string(), z.unknown())) });

const FIND = statement<{ erased_at: Date; receipt: string }>(
  'tenants.find_receipt',
  'select erased_at, receipt from tenants.erasure_receipts where erased_id = $1',
);

const LIST_KEYS = statement<{ key: Record<string, unknown> }>(
  'tenants.list_receipt_keys',
  'select distinct verified_by as key from tenants.erasure_receipts limit 100',
);

/** Receipts of erased tenants, for the operator: in the role that reads across tenants. */
export class ErasureReceipts {
  constructor(private readonly ops: Database) {}

  /** The receipt of a tenant; throws NotFound. */
  async get(id: string): Promise<ReceiptView> {
    const row = await this.ops.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => tx.row(FIND, [id]),
    );
    if (!row) throw new NotFound();
    return { tenantId: id, erasedAt: row.erased_at.toISOString(), receipt: row.receipt };
  }

  /** Every key that has signed a receipt. */
  async keys(): Promise<z.output<typeof keySetView>> {
    const rows = await this.ops.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => tx.rows(LIST_KEYS),
    );
    return { keys: rows.map(({ key }) => key) };
  }
}
