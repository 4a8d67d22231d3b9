import { statement, type SystemTx } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** A pair of clearing accounts that do not add up. */
export interface ClearingBreak {
  readonly tenantId: string;
  readonly counterpartyId: string;
  readonly asset: string;
  /** What is posted on both, and what is under way between them, by the sign of the first one's account. */
  readonly sum: string;
  readonly inFlight: string;
  /** Whether the other tenant has a clearing account at all. */
  readonly hasCounterpart: boolean;
}

/** What names a pair, and the place of a page behind it. */
export type ClearingPair = Pick<ClearingBreak, 'tenantId' | 'counterpartyId' | 'asset'>;

/** A clearing account on which something else is posted than payments have booked. */
export interface AccountBreak {
  readonly accountId: string;
  readonly asset: string;
  readonly net: string;
  readonly posted: string;
}

// One statement sees one snapshot: of each step, which is one transaction of one tenant, it sees both the row and the sum or neither.
// What is posted by the payer and not yet by the payee is in flight; that is few rows, found by their own index. The first of a pair
// tells of both; of one without a counterpart, itself.
const LIST_BREAKS = statement<ClearingBreak>(
  'payments.list_clearing_breaks',
  `select c.tenant_id as "tenantId", c.counterparty_id as "counterpartyId", c.asset,
     (c.net + coalesce(o.net, 0))::text as sum, f.in_flight::text as "inFlight", o.tenant_id is not null as "hasCounterpart"
   from payments.clearings c
   left join payments.clearings o
     on o.tenant_id = c.counterparty_id and o.counterparty_id = c.tenant_id and o.asset = c.asset
   cross join lateral (
     select coalesce(sum(case p.side when 'debit' then p.amount else - p.amount end), 0) as in_flight
     from payments.payments p
     left join payments.payments i on i.tenant_id = p.counterparty_id and i.id = p.id
     where ((p.tenant_id = c.tenant_id and p.counterparty_id = c.counterparty_id)
         or (p.tenant_id = c.counterparty_id and p.counterparty_id = c.tenant_id))
       and p.asset = c.asset and p.direction = 'outgoing' and p.status = 'pending' and p.posted_at is not null
       and i.posted_at is null
   ) f
   where (c.tenant_id < c.counterparty_id or o.tenant_id is null) and c.net + coalesce(o.net, 0) <> f.in_flight
     and ($1::uuid is null or (c.tenant_id, c.counterparty_id, c.asset) > ($1, $2::uuid, $3::text))
   order by c.tenant_id, c.counterparty_id, c.asset
   limit $4`,
);

const COUNT_IN_FLIGHT = statement<{ readonly payments: number }>(
  'payments.count_in_flight',
  `select count(tenant_id)::int as payments
   from payments.payments
   where direction = 'outgoing' and status = 'pending' and posted_at is not null`,
);

const LIST_ACCOUNT_BREAKS = statement<AccountBreak>(
  'payments.list_account_breaks',
  `select c.account_id as "accountId", c.asset, c.net::text as net, coalesce((a.posted_credits - a.posted_debits)::text, 'none') as posted
   from payments.clearings c
   left join ledger.accounts a on a.tenant_id = $1 and a.id = c.account_id and a.owner = 'payments'
   where c.tenant_id = $1 and a.posted_credits - a.posted_debits is distinct from c.net
   order by c.account_id
   limit $2`,
);

const LIST_TENANTS = statement<{ readonly tenantId: string }>(
  'payments.list_clearing_tenants',
  `select distinct tenant_id as "tenantId"
   from payments.clearings
   where tenant_id > $1
   order by tenant_id
   limit $2`,
);

/** Tenants that have clearing accounts, in the order of their ids behind one of them. */
export async function listClearingTenants(tx: SystemTx, after: string, limit: number): Promise<string[]> {
  return (await tx.rows(LIST_TENANTS, [after, limit])).map(({ tenantId }) => tenantId);
}

/** Pairs of tenants whose clearing accounts do not add up to what is in flight, as of one instant: the first ones behind a pair, in its order. */
export function listClearingBreaks(
  tx: SystemTx,
  after: ClearingPair | undefined,
  limit: number,
): Promise<ClearingBreak[]> {
  const { tenantId = null, counterpartyId = null, asset = null } = after ?? {};
  return tx.rows(LIST_BREAKS, [tenantId, counterpartyId, asset, limit]);
}

/** Payments whose payer has posted and whose payee may have not. */
export async function countInFlight(tx: SystemTx): Promise<number> {
  return (await tx.row(COUNT_IN_FLIGHT, []))?.payments ?? 0;
}

/** Clearing accounts of the transaction's tenant that have something else posted than payments have booked. */
export function listAccountBreaks(tx: TenantTx, limit: number): Promise<AccountBreak[]> {
  return tx.rows(LIST_ACCOUNT_BREAKS, [tx.tenantId, limit]);
}
