import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type AccountRow, type AccountView, showAccount } from './account';

/** Which accounts to list. */
export const accountsInput = z.strictObject({ ...pageInput });

/** The tenant's accounts, newest first. */
export class Accounts extends TenantQuery<z.output<typeof accountsInput>, Page<AccountView>> {
  readonly scope = 'ledger:read';
}

// Ids are UUIDv7, made by the application when the account was opened: their order is that of opening.
const LIST = statement<AccountRow>(
  'ledger.list_accounts',
  `select id, code, asset, normal_balance, limit_rule, posted_debits, posted_credits, pending_debits, pending_credits,
     version, revision, metadata,
     to_char(opened_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as opened_at,
     to_char(closed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as closed_at
   from ledger.accounts
   where tenant_id = $1 and id < $2
   order by id desc
   limit $3`,
);

/** Behind every id there can be: where the first page begins. */
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

const cursors = new Cursors('ledger.accounts', z.tuple([z.guid()]));

@QueryHandler(Accounts)
export class AccountsHandler implements IQueryHandler<Accounts> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: Accounts): Promise<Page<AccountView>> {
    const [before] = cursors.decode(caller, input.after) ?? [LAST_ID];
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, before, input.limit + 1]);
    return page(rows, input.limit, showAccount, (row) => cursors.encode(caller, [row.id]));
  }
}
