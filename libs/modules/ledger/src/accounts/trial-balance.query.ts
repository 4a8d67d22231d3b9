import { type Caller, instantSchema } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { digitsView } from '../ledger-values';
import { refuseFuture } from './instants.sql';

/** As of when the accounts are added up; now, where nothing is given. */
export const trialBalanceInput = z.strictObject({
  at: instantSchema.optional().meta({
    description:
      'As of this instant, what was booked at it included. Of the last moments some may not be committed yet. Takes as long as there is booked since.',
  }),
});

/** The totals of all accounts of one asset. Every transfer adds the same to both, so a difference is a defect. */
export const assetTotalsView = z.object({
  asset: z.string(),
  postedDebits: digitsView,
  postedCredits: digitsView,
  pendingDebits: digitsView,
  pendingCredits: digitsView,
  accounts: z.int(),
  balanced: z.boolean(),
});

/** The trial balance: what all accounts add up to, by asset. */
export const trialBalanceView = z.object({ data: z.array(assetTotalsView) });
export type TrialBalanceView = z.output<typeof trialBalanceView>;

/**
 * What all accounts of the tenant add up to, now or at a past instant. The latter reads whatever was booked since, so its cost
 * grows with how long ago it is; the README has figures. Throws InvalidInput for an instant that has not come.
 */
export class TrialBalance extends TenantQuery<z.output<typeof trialBalanceInput>, TrialBalanceView> {
  readonly scope = 'ledger:read';
}

interface TotalsRow {
  readonly asset: string;
  readonly posted_debits: string;
  readonly posted_credits: string;
  readonly pending_debits: string;
  readonly pending_credits: string;
  readonly accounts: number;
}

// One statement sees one snapshot. Sums of bigint are numeric, which do not overflow. 1,000 assets are more than there are.
const SUM = statement<TotalsRow>(
  'ledger.sum_accounts',
  `select asset, sum(posted_debits)::text as posted_debits, sum(posted_credits)::text as posted_credits,
     sum(pending_debits)::text as pending_debits, sum(pending_credits)::text as pending_credits, count(*)::int as accounts
   from ledger.accounts
   where tenant_id = $1
   group by asset
   order by asset
   limit 1000`,
);

// The totals of now, less what was booked after the instant, in one snapshot. A post gave back all that was held, whatever
// part of it was posted. What was booked since is read by the index of the list of transfers.
const SUM_AT = statement<TotalsRow>(
  'ledger.sum_accounts_at',
  `with booked as (
     select t.asset, sum(case when t.kind in ('transfer', 'post', 'reversal') then t.amount else 0 end) as posted,
       sum(case t.kind
         when 'hold' then t.amount
         when 'void' then - t.amount
         when 'expiry' then - t.amount
         when 'post' then - (select h.amount from ledger.transfers h where h.tenant_id = $1 and h.id = t.target_id)
         else 0
       end) as held
     from ledger.transfers t
     where t.tenant_id = $1 and t.refusal is null and t.booked_at > $2
     group by t.asset),
   summed as (
     select asset, sum(posted_debits) as posted_debits, sum(posted_credits) as posted_credits,
       sum(pending_debits) as pending_debits, sum(pending_credits) as pending_credits,
       count(*) filter (where opened_at <= $2)::int as accounts
     from ledger.accounts
     where tenant_id = $1
     group by asset)
   select s.asset, (s.posted_debits - coalesce(b.posted, 0))::text as posted_debits,
     (s.posted_credits - coalesce(b.posted, 0))::text as posted_credits,
     (s.pending_debits - coalesce(b.held, 0))::text as pending_debits,
     (s.pending_credits - coalesce(b.held, 0))::text as pending_credits, s.accounts
   from summed s
   left join booked b on b.asset = s.asset
   where s.accounts > 0
   order by s.asset
   limit 1000`,
);

@QueryHandler(TrialBalance)
export class TrialBalanceHandler implements IQueryHandler<TrialBalance> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { at } }: TrialBalance): Promise<TrialBalanceView> {
    const rows = at === undefined ? this.tenants.rows(caller, SUM, [caller.tenantId]) : this.asOf(caller, at);
    return { data: (await rows).map(showTotals) };
  }

  private asOf(caller: Caller, at: string): Promise<TotalsRow[]> {
    return this.tenants.reading(caller, async (tx) => {
      await refuseFuture(tx, 'at', at);
      return tx.rows(SUM_AT, [tx.tenantId, at]);
    });
  }
}

function showTotals(row: TotalsRow): TrialBalanceView['data'][number] {
  return {
    asset: row.asset,
    postedDebits: row.posted_debits,
    postedCredits: row.posted_credits,
    pendingDebits: row.pending_debits,
    pendingCredits: row.pending_credits,
    accounts: row.accounts,
    balanced: row.posted_debits === row.posted_credits && row.pending_debits === row.pending_credits,
  };
}
