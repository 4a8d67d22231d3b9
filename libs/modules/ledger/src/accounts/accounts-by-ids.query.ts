import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { type AccountRow, type AccountView, showAccount } from './account';

/** Accounts by their ids, in no order; those that are not there are left out. At most 1,000. */
export class AccountsByIds extends TenantQuery<{ readonly ids: readonly string[] }, AccountView[]> {
  readonly scope = 'ledger:read';
}

const LIST = statement<AccountRow>(
  'ledger.list_accounts_by_ids',
  `select id, code, asset, normal_balance, limit_rule, posted_debits, posted_credits, pending_debits, pending_credits,
     version, revision, metadata,
     to_char(opened_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as opened_at,
     to_char(closed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as closed_at
   from ledger.accounts
   where tenant_id = $1 and id = any($2::uuid[])
   limit 1000`,
);

@QueryHandler(AccountsByIds)
export class AccountsByIdsHandler implements IQueryHandler<AccountsByIds> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: AccountsByIds): Promise<AccountView[]> {
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, input.ids]);
    return rows.map(showAccount);
  }
}
