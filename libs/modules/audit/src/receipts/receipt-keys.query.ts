import { Cursors, type Page, page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { receiptKeyId } from './receipt-key';
import type { ReceiptKeyView } from './receipt-key-view';

export const receiptKeysInput = z.strictObject(pageInput);
export type ReceiptKeysInput = z.output<typeof receiptKeysInput>;

/** The keys that sign receipts, newest first: for whoever keeps their certificates with the receipts. */
export class ReceiptKeyList extends TenantQuery<ReceiptKeysInput, Page<ReceiptKeyView>> {
  readonly scope = 'audit:read';
}

interface Row extends ReceiptKeyView {
  /** Microseconds since 1970. */
  readonly registered: string;
}

const LIST = statement<Row>(
  'audit.list_receipt_keys',
  `select id, entry, certificate, (extract(epoch from registered_at) * 1000000)::bigint::text as registered
   from audit.receipt_keys
   where $1::bigint is null
     or (registered_at, id) < (to_timestamp(0) + $1::bigint * interval '1 microsecond', $2::text)
   order by registered_at desc, id desc
   limit $3`,
);

const cursors = new Cursors('receipt keys', z.tuple([z.string().regex(/^\d{1,18}$/), receiptKeyId]));

@QueryHandler(ReceiptKeyList)
export class ReceiptKeyListHandler implements IQueryHandler<ReceiptKeyList> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { limit, after } }: ReceiptKeyList): Promise<Page<ReceiptKeyView>> {
    const [registered, id] = cursors.decode(caller, after) ?? [null, null];
    const rows = await this.tenants.rows(caller, LIST, [registered, id, limit + 1]);
    return page(
      rows,
      limit,
      ({ id: keyId, entry, certificate }) => ({ id: keyId, entry, certificate }),
      (row) => cursors.encode(caller, [row.registered, row.id]),
    );
  }
}
