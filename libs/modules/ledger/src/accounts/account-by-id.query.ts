import { NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { type AccountRow, type AccountView, showAccount } from './account';

/** An account with its totals as of now. Throws NotFound. */
export class AccountById extends TenantQuery<{ readonly id: string }, AccountView> {
  readonly scope = 'ledger:read';
}

const FIND = statement<AccountRow>(
  'ledger.find_account',
  `select id, code, asset, normal_balance, limit_rule, posted_debits, posted_credits, pending_debits, pending_credits,
     version, revision, metadata,
     to_char(opened_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as opened_at,
     to_char(closed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as closed_at
   from ledger.accounts
   where tenant_id = $1 and id = $2`,
);

@QueryHandler(AccountById)
export class AccountByIdHandler implements IQueryHandler<AccountById> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: AccountById): Promise<AccountView> {
    const [row] = await this.tenants.rows(caller, FIND, [caller.tenantId, input.id]);
    if (!row) throw new NotFound();
    return showAccount(row);
  }
}
