import { type Caller, instantSchema, NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type AccountRow, type AccountView, showAccount } from './account';
import { refuseFuture } from './instants.sql';

/** As of when an account is read; now, where nothing is given. */
export const accountInput = z.strictObject({
  at: instantSchema.optional().meta({
    description:
      'Totals and version as of this instant, what was booked at it included. Of the last moments some may not be committed yet.',
  }),
});

type Input = z.output<typeof accountInput> & { readonly id: string };

/**
 * An account with its totals as of now or of a past instant; the rest of it is as now. Throws NotFound, and InvalidInput
 * for an instant that has not come.
 */
export class AccountById extends TenantQuery<Input, AccountView> {
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

// Half-open: what was booked at the instant itself is before the microsecond behind it.
const FIND_AT = statement<AccountRow>(
  'ledger.find_account_at',
  `select a.id, a.code, a.asset, a.normal_balance, a.limit_rule, b.posted_debits, b.posted_credits, b.pending_debits,
     b.pending_credits, v.version, a.revision, a.metadata,
     to_char(a.opened_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as opened_at,
     to_char(a.closed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as closed_at
   from ledger.accounts a
   cross join lateral ledger.version_before(a.id, $3::timestamptz + interval '1 microsecond') v (version)
   cross join lateral ledger.balances_at(a.id, v.version) b
   where a.tenant_id = $1 and a.id = $2`,
);

@QueryHandler(AccountById)
export class AccountByIdHandler implements IQueryHandler<AccountById> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: AccountById): Promise<AccountView> {
    const row =
      input.at === undefined ? await this.now(caller, input.id) : await this.asOf(caller, input.id, input.at);
    if (!row) throw new NotFound();
    return showAccount(row);
  }

  private async now(caller: Caller, id: string): Promise<AccountRow | undefined> {
    return (await this.tenants.rows(caller, FIND, [caller.tenantId, id]))[0];
  }

  private asOf(caller: Caller, id: string, at: string): Promise<AccountRow | undefined> {
    return this.tenants.reading(caller, async (tx) => {
      await refuseFuture(tx, 'at', at);
      return tx.row(FIND_AT, [tx.tenantId, id, at]);
    });
  }
}
