import { instantSchema } from '@holdfast/kernel';
import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { showTransfer, type TransferRow, type TransferView } from './transfer';

/** Which transfers to list. */
export const transfersInput = z.strictObject({ ...pageInput });

/** The tenant's transfers, newest first by the instant of booking. */
export class Transfers extends TenantQuery<z.output<typeof transfersInput>, Page<TransferView>> {
  readonly scope = 'ledger:read';
}

// A batch is booked at one instant, so the id decides among its transfers and no page loses one.
const LIST = statement<TransferRow>(
  'ledger.list_transfers',
  `select id, debit_account_id, credit_account_id, asset, amount, debit_version, credit_version, metadata,
     to_char(booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as booked_at
   from ledger.transfers
   where tenant_id = $1 and refusal is null and (booked_at, id) < ($2::timestamptz, $3::uuid)
   order by ledger.transfers.booked_at desc, id desc
   limit $4`,
);

/** Behind every transfer there can be: where the first page begins. */
const LAST = ['infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff'] as const;

const cursors = new Cursors('ledger.transfers', z.tuple([instantSchema, z.guid()]));

@QueryHandler(Transfers)
export class TransfersHandler implements IQueryHandler<Transfers> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: Transfers): Promise<Page<TransferView>> {
    const [bookedBefore, idBefore] = cursors.decode(caller, input.after) ?? LAST;
    const rows = await this.tenants.rows(caller, LIST, [
      caller.tenantId,
      bookedBefore,
      idBefore,
      input.limit + 1,
    ]);
    return page(rows, input.limit, showTransfer, (row) => cursors.encode(caller, [row.booked_at, row.id]));
  }
}
