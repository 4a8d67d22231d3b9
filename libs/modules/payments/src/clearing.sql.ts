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

/** What a page of pairs tells: those that are broken, and its last one where it is full. */
interface LookedAt extends ClearingBreak {
  readonly isBroken: boolean;
  readonly isLast: boolean;
}

// One statement sees one snapshot: of each step, which is one transaction of one tenant, it sees both the row and the sum or neither.
// What is posted by the payer and not yet by the payee is in flight; that is few rows, found by their own index. The first of a pair
// tells of both; of one without a counterpart, itself. A page is so many pairs and not so many breaks, which in health would be all pairs.
// Each of two accounts fits into a bigint, and both together need not: one such pair would fail the look at all.
// The limit of one has each counterpart found by its key: of a page whose length is not known a plan may read all accounts.
const LIST_BREAKS = statement<LookedAt>(
  'payments.list_clearing_breaks',
  `select c.tenant_id as "tenantId", c.counterparty_id as "counterpartyId", c.asset,
     s.net::text as sum, f.in_flight::text as "inFlight", o.net is not null as "hasCounterpart",
     b.is_broken as "isBroken", c.place = $4 as "isLast"
   from (
     select tenant_id, counterparty_id, asset, net, row_number() over (order by tenant_id, counterparty_id, asset) as place
     from payments.clearings
     where (tenant_id, counterparty_id, asset) > ($1::uuid, $2::uuid, $3::text)
     order by tenant_id, counterparty_id, asset
     limit $4
   ) c
   left join lateral (
     select net from payments.clearings
     where tenant_id = c.counterparty_id and counterparty_id = c.tenant_id and asset = c.asset
     limit 1
   ) o on true
   cross join lateral (select c.net::numeric + coalesce(o.net, 0) as net) s
   cross join lateral (
     select coalesce(sum(case p.side when 'debit' then p.amount else - p.amount end), 0) as in_flight
     from payments.payments p
     left join payments.payments i on i.tenant_id = p.counterparty_id and i.id = p.id
     where ((p.tenant_id = c.tenant_id and p.counterparty_id = c.counterparty_id)
         or (p.tenant_id = c.counterparty_id and p.counterparty_id = c.tenant_id))
       and p.asset = c.asset and p.direction = 'outgoing' and p.status = 'pending' and p.posted_at is not null
       and i.posted_at is null
   ) f
   cross join lateral (
     select (c.tenant_id < c.counterparty_id or o.net is null) and s.net <> f.in_flight as is_broken
   ) b
   where b.is_broken or c.place = $4
   order by c.tenant_id, c.counterparty_id, c.asset`,
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

/** Before every pair. */
const NO_PAIR: ClearingPair = {
  tenantId: '00000000-0000-0000-0000-000000000000',
  counterpartyId: '00000000-0000-0000-0000-000000000000',
  asset: '',
};

/**
 * Looks at so many clearing accounts behind a pair, in its order. Tells which pairs do not add up to what is in flight, as of one instant,
 * and behind which to go on where there may be more.
 */
export async function lookAtClearings(
  tx: SystemTx,
  { tenantId, counterpartyId, asset }: ClearingPair = NO_PAIR,
  pairs: number,
): Promise<{ readonly breaks: readonly ClearingBreak[]; readonly last: ClearingPair | undefined }> {
  const rows = await tx.rows(LIST_BREAKS, [tenantId, counterpartyId, asset, pairs]);
  return { breaks: rows.filter(({ isBroken }) => isBroken), last: rows.find(({ isLast }) => isLast) };
}

/** Payments whose payer has posted and whose payee may have not. */
export async function countInFlight(tx: SystemTx): Promise<number> {
  return (await tx.row(COUNT_IN_FLIGHT, []))?.payments ?? 0;
}

/** Clearing accounts of the transaction's tenant that have something else posted than payments have booked. */
export function listAccountBreaks(tx: TenantTx, limit: number): Promise<AccountBreak[]> {
  return tx.rows(LIST_ACCOUNT_BREAKS, [tx.tenantId, limit]);
}
