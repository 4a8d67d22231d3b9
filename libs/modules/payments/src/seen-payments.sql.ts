import { lookedAt, type LookedAt } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { PaymentRow, PaymentView } from './payment';

/** Which payments are asked for. */
export interface PaymentsAsked {
  readonly direction?: PaymentView['direction'] | undefined;
  readonly status?: PaymentView['status'] | undefined;
  readonly counterpartyTenantId?: string | undefined;
}

/** A payment that a list has looked at. */
interface PaymentKey extends LookedAt {
  readonly id: string;
}

// Only the payer's tenant has the saga, and so only the payer sees that an operator is needed. Of a payment to another bank there is
// nothing but the saga.
const SEE = statement<PaymentRow>(
  'payments.see',
  `select p.tenant_id, p.id, p.direction, p.counterparty_id, p.account_id, p.counterparty_account_id, p.iban, p.amount, p.asset,
     p.status, p.reason, p.hold_id,
     to_char(p.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as created_at,
     to_char(p.ended_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as ended_at
   from (
     select h.tenant_id, h.id, h.direction, h.counterparty_id, h.account_id, h.counterparty_account_id, null as iban, h.amount, h.asset,
       coalesce(
         (select s.state from sagas.sagas s where h.status = 'pending' and s.tenant_id = $1 and s.id = h.id and s.state = 'needs_operator'),
         h.status) as status,
       h.reason, h.hold_id, h.created_at, h.ended_at
     from payments.payments h
     where h.tenant_id = $1 and h.id = any ($2::uuid[])
     union all
     select b.tenant_id, b.id, 'outgoing', null, (b.input ->> 'fromAccountId')::uuid, null, b.input ->> 'toIban',
       (b.input ->> 'amount')::bigint, b.input ->> 'asset',
       case when b.state in ('running', 'compensating') then 'pending'
         when b.state = 'compensated' and not b.results ? 'hold' then 'failed'
         else b.state end,
       case b.state when 'compensated' then b.reason end, (b.results #>> '{hold,holdId}')::uuid, b.started_at, b.ended_at
     from sagas.sagas b
     where b.tenant_id = $1 and b.name = 'payments.bank_payment' and b.id = any ($2::uuid[])
   ) p
   order by p.id desc`,
);

// Each kind by the index that has least of it beside what is asked for, which is one of three; the other two then have nothing. No more is
// read of it than is shown, and no more than a page looks at. The limits are asked for, so that no plan is made for their values: of any
// tenant a two-hundredth of the table is expected, and where that is less than a limit, all that it has would be read and sorted. Whether an
// operator is needed is asked of each payment by itself: otherwise a plan may read all sagas of the tenant first.
const LIST = statement<PaymentKey>(
  'payments.list',
  `select p.id, p.is_shown as "isShown", p.place = $7 as "isLast"
   from (
     (select h.id, h.place, h.is_shown
      from (
        select a.id, row_number() over (order by a.id desc) as place,
          ($3::text is null or a.direction = $3) and ($5::uuid is null or a.counterparty_id = $5)
            and ($4::text is null or a.status = case $4 when 'needs_operator' then 'pending' else $4 end)
            and ($4::text is null or $4 not in ('pending', 'needs_operator') or ($4 = 'needs_operator') = coalesce((
              select s.state = 'needs_operator' from sagas.sagas s where s.tenant_id = $1 and s.id = a.id), false)) as is_shown
        from (
          (select id, direction, counterparty_id, status
           from payments.payments
           where tenant_id = $1 and id < $2 and $5::uuid is null and coalesce($4, 'completed') = 'completed'
           order by id desc
           limit (select $7::bigint))
          union all
          (select id, direction, counterparty_id, status
           from payments.payments
           where tenant_id = $1 and counterparty_id = $5 and id < $2 and $5 is not null and coalesce($4, 'completed') = 'completed'
           order by id desc
           limit (select $7::bigint))
          union all
          (select id, direction, counterparty_id, status
           from payments.payments
           where tenant_id = $1 and status = case $4 when 'needs_operator' then 'pending' else $4 end and status <> 'completed' and id < $2
           order by id desc
           limit (select $7::bigint))
        ) a
      ) h
      where h.is_shown or h.place = $7
      order by h.id desc
      limit (select $6::bigint))
     union all
     (select b.id, b.place, b.is_shown
      from (
        select o.id, row_number() over (order by o.id desc) as place,
          o.name = 'payments.bank_payment'
            and ($4::text is null or o.state = any (case $4
              when 'pending' then array['running', 'compensating'] when 'failed' then array['compensated'] else array[$4] end))
            and ($4::text is null or $4 not in ('failed', 'compensated') or ($4 = 'compensated') = (o.results ? 'hold')) as is_shown
        from (
          (select id, name, state, results
           from sagas.sagas
           where tenant_id = $1 and name = 'payments.bank_payment' and id < $2 and coalesce($4, 'completed') = 'completed'
           order by id desc
           limit (select $7::bigint))
          union all
          (select id, name, state, results
           from sagas.sagas
           where tenant_id = $1 and ended_at is null and id < $2 and $4 in ('pending', 'needs_operator')
           order by id desc
           limit (select $7::bigint))
          union all
          (select id, name, state, results
           from sagas.sagas
           where tenant_id = $1 and state = 'compensated' and id < $2 and $4 in ('failed', 'compensated')
           order by id desc
           limit (select $7::bigint))
        ) o
        where $3::text is distinct from 'incoming' and $5::uuid is null
      ) b
      where b.is_shown or b.place = $7
      order by b.id desc
      limit (select $6::bigint))
   ) p
   order by p.id desc
   limit (select $6::bigint)`,
);

/** Payments of each kind that one page looks at, at most: some 10 ms. */
const LOOKED_AT_MAX = 2_000;

/** Behind every id. */
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Payments of the transaction's tenant by their ids, newest first, as its side sees them. */
export function seePayments(tx: TenantTx, ids: readonly string[]): Promise<PaymentRow[]> {
  return tx.rows(SEE, [tx.tenantId, ids]);
}

/**
 * Payments of the transaction's tenant, newest first, up to `limit` behind `before`; and the id up to which it was looked where filters
 * leave out so many that there may be more behind it. Reads as one only in a transaction of one snapshot.
 */
export async function listPayments(
  tx: TenantTx,
  { direction, status, counterpartyTenantId }: PaymentsAsked,
  before: string | undefined,
  limit: number,
): Promise<{ readonly rows: readonly PaymentRow[]; readonly last: string | undefined }> {
  const filters = [direction ?? null, status ?? null, counterpartyTenantId ?? null];
  const looked = await tx.rows(LIST, [tx.tenantId, before ?? LAST_ID, ...filters, limit, LOOKED_AT_MAX]);
  const { shown, last } = lookedAt(looked);
  const rows = await seePayments(
    tx,
    shown.map(({ id }) => id),
  );
  return { rows, last: last?.id };
}
