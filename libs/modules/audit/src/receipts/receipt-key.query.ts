import { NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import type { ReceiptKeyView } from './receipt-key-view';

/** A key that signs receipts. It is the installation's, and the same for all tenants. Throws NotFound. */
export class ReceiptKeyById extends TenantQuery<{ readonly id: string }, ReceiptKeyView> {
  readonly scope = 'audit:read';
}

const FIND = statement<ReceiptKeyView>(
  'audit.find_receipt_key',
  'select id, entry, certificate from audit.receipt_keys where id = $1',
);

@QueryHandler(ReceiptKeyById)
export class ReceiptKeyByIdHandler implements IQueryHandler<ReceiptKeyById> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: ReceiptKeyById): Promise<ReceiptKeyView> {
    const [key] = await this.tenants.rows(caller, FIND, [input.id]);
    if (!key) throw new NotFound();
    return key;
  }
}
