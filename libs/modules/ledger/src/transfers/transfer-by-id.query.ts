import { NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { showTransfer, type TransferRow, type TransferView } from './transfer';

/** A transfer that was posted. Throws NotFound, also for one that was refused. */
export class TransferById extends TenantQuery<{ readonly id: string }, TransferView> {
  readonly scope = 'ledger:read';
}

const FIND = statement<TransferRow>(
  'ledger.find_transfer',
  `select id, debit_account_id, credit_account_id, asset, amount, debit_version, credit_version, metadata,
     to_char(booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as booked_at
   from ledger.transfers
   where tenant_id = $1 and id = $2 and refusal is null`,
);

@QueryHandler(TransferById)
export class TransferByIdHandler implements IQueryHandler<TransferById> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: TransferById): Promise<TransferView> {
    const [row] = await this.tenants.rows(caller, FIND, [caller.tenantId, input.id]);
    if (!row) throw new NotFound();
    return showTransfer(row);
  }
}
