import { CursorInvalid, Cursors, page, type Page } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import { z } from 'zod';
import { showTransfer, type TransferRow, type TransferView } from './transfer';
import type { TransfersInput } from './transfer-filter';

/**
 * How many versions of the account are booked before an instant. Time follows versions, so some 20 look-ups find it. They are
 * ordered by version for the index that has that order: over a table without statistics others seem to do as well.
 */
const COUNT_BEFORE = statement<{ readonly versions: bigint }>(
  'ledger.count_versions_before',
  `with recursive halving (low, high) as (
     select 0::bigint, a.version from ledger.accounts a where a.tenant_id = $1 and a.id = $2
     union all
     select case when e.is_before then h.middle else h.low end, case when e.is_before then h.high else h.middle - 1 end
     from (select low, high, (low + high + 1) / 2 as middle from halving where low < high) h
     cross join lateral (
       select l.booked_at < $3::timestamptz as is_before
       from (
         (select t.booked_at, t.debit_version as version from ledger.transfers t
          where t.tenant_id = $1 and t.debit_account_id = $2 and t.debit_version >= h.middle and t.refusal is null
          order by t.debit_version
          limit 1)
         union all
         (select t.booked_at, t.credit_version from ledger.transfers t
          where t.tenant_id = $1 and t.credit_account_id = $2 and t.credit_version >= h.middle and t.refusal is null
          order by t.credit_version
          limit 1)) l
       order by l.version
       limit 1) e)
   select low as versions from halving where low = high limit 1`,
);

// Each leg is read from its own index, newest first, between two versions; the two are merged by version. Kind, status and
// effective date are looked at behind the indexes, so those versions are not further apart than a page may look.
const LIST = statement<TransferRow & { readonly version: bigint }>(
  'ledger.list_transfers_of_account',
  `select t.id, t.kind, t.target_id, t.debit_account_id, t.credit_account_id, t.asset, t.amount, t.debit_version,
     t.credit_version, t.effective_date::text as effective_date, t.metadata, f.id as follower_id, f.kind as follower_kind,
     to_char(t.expires_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as expires_at,
     to_char(t.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as booked_at, t.version
   from (
     (select id, debit_version as version, kind, target_id, debit_account_id, credit_account_id, asset, amount, debit_version,
        credit_version, effective_date, metadata, expires_at, booked_at
      from ledger.transfers
      where tenant_id = $1 and refusal is null and debit_account_id = $2 and debit_version < $3 and debit_version >= $4
      order by debit_version desc
      limit $5)
     union all
     (select id, credit_version, kind, target_id, debit_account_id, credit_account_id, asset, amount, debit_version,
        credit_version, effective_date, metadata, expires_at, booked_at
      from ledger.transfers
      where tenant_id = $1 and refusal is null and credit_account_id = $2 and credit_version < $3 and credit_version >= $4
      order by credit_version desc
      limit $5)) t
   left join lateral (
     select f.id, f.kind from ledger.transfers f
     where f.tenant_id = $1 and f.target_id = t.id and f.refusal is null
     limit 1) f on true
   where ($6::text is null or t.kind = $6)
     and ($7::text is null or $7 = case case when t.kind = 'hold' and f.kind is not null then f.kind else t.kind end
       when 'hold' then 'pending' when 'void' then 'voided' when 'expiry' then 'expired' else 'posted' end)
     and ($8::date is null or t.effective_date >= $8) and ($9::date is null or t.effective_date <= $9)
   order by t.version desc
   limit $10`,
);

const cursors = new Cursors(
  'ledger.transfers_of_account',
  z.tuple([z.guid(), z.string().regex(/^[1-9][0-9]{0,17}$/)]),
);

/** The transfers of an account, newest first; a page looks at `lookedAtMax` of them where a filter leaves some out. */
export async function listOfAccount(
  tx: TenantTx,
  { accountId, ...input }: TransfersInput & { readonly accountId: string },
  lookedAtMax: number,
): Promise<Page<TransferView>> {
  const { limit, kind = null, status = null, from, to, effectiveFrom = null, effectiveTo = null } = input;
  const filters = [kind, status, effectiveFrom, effectiveTo];
  const countBefore = async (instant: string): Promise<bigint> =>
    (await tx.row(COUNT_BEFORE, [tx.tenantId, accountId, instant]))?.versions ?? 0n;
  const [since, until] = await Promise.all([
    from === undefined ? 0n : countBefore(from),
    countBefore(to ?? 'infinity'),
  ]);
  const [account = accountId, after] = cursors.decode(tx.caller, input.after) ?? [];
  if (account !== accountId) throw new CursorInvalid();
  const highest = after === undefined ? until + 1n : BigInt(after);
  const isFiltered = filters.some((filter) => filter !== null);
  const reach = BigInt(isFiltered ? lookedAtMax : limit + 1);
  const lowest = highest - reach > since ? highest - reach : since + 1n;
  const values = [tx.tenantId, accountId, highest, lowest, reach, ...filters, limit + 1];
  const rows = await tx.rows(LIST, values);
  const encode = (version: bigint): string => cursors.encode(tx.caller, [accountId, String(version)]);
  const end = isFiltered && lowest > since + 1n ? encode(lowest) : undefined;
  return page(rows, limit, showTransfer, ({ version }) => encode(version), end);
}
