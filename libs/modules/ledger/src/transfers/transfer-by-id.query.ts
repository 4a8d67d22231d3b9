import { NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { showTransfer, type TransferRow, type TransferView } from './transfer';

/** A transfer that took effect, with what became of it. Throws NotFound, also for one that was refused. */
export class TransferById extends TenantQuery<{ readonly id: string }, TransferView> {
  readonly scope = 'ledger:read';
}

/** Several of them by their ids, in no order; those that are not there are left out. At most 1,000. */
export class TransfersByIds extends TenantQuery<{ readonly ids: readonly string[] }, TransferView[]> {
  readonly scope = 'ledger:read';
}

// One look-up by the primary key for each id, and one by the key of targets. Refusals are left out behind the look-up: within
// it, the partial indexes would do as well, and over a table without statistics PostgreSQL takes one of those.
const FIND = statement<TransferRow>(
  'ledger.find_transfers',
  `select t.id, t.kind, t.target_id, t.debit_account_id, t.credit_account_id, t.asset, t.amount, t.debit_version,
     t.credit_version, t.effective_date::text as effective_date, t.metadata, f.id as follower_id, f.kind as follower_kind,
     to_char(t.expires_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as expires_at,
     to_char(t.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as booked_at
   from unnest($2::uuid[]) i (id)
   cross join lateral (
     select id, kind, target_id, debit_account_id, credit_account_id, asset, amount, debit_version, credit_version,
       effective_date, metadata, expires_at, booked_at, refusal
     from ledger.transfers
     where tenant_id = $1 and id = i.id
     limit 1) t
   left join lateral (
     select f.id, f.kind from ledger.transfers f
     where f.tenant_id = $1 and f.target_id = t.id and f.refusal is null
     limit 1) f on true
   where t.refusal is null
   limit 1000`,
);

@QueryHandler(TransfersByIds)
export class TransfersByIdsHandler implements IQueryHandler<TransfersByIds> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: TransfersByIds): Promise<TransferView[]> {
    const rows = await this.tenants.rows(caller, FIND, [caller.tenantId, input.ids]);
    return rows.map(showTransfer);
  }
}

@QueryHandler(TransferById)
export class TransferByIdHandler implements IQueryHandler<TransferById> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: TransferById): Promise<TransferView> {
    const [row] = await this.tenants.rows(caller, FIND, [caller.tenantId, [input.id]]);
    if (!row) throw new NotFound();
    return showTransfer(row);
  }
}
