import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { digitsView } from '../ledger-values';

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

/** What all accounts of the tenant add up to, as of one instant. */
export class TrialBalance extends TenantQuery<Readonly<Record<string, never>>, TrialBalanceView> {
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

@QueryHandler(TrialBalance)
export class TrialBalanceHandler implements IQueryHandler<TrialBalance> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller }: TrialBalance): Promise<TrialBalanceView> {
    const rows = await this.tenants.rows(caller, SUM, [caller.tenantId]);
    return { data: rows.map(showTotals) };
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
