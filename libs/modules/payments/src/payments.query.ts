import { idSchema } from '@holdfast/kernel';
import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import {
  directionSchema,
  type PaymentRow,
  paymentStatusSchema,
  type PaymentView,
  showPayment,
} from './payment';

/** What GET /v1/payments takes. */
export const paymentsInput = z.strictObject({
  ...pageInput,
  direction: directionSchema.optional(),
  status: paymentStatusSchema.optional(),
  counterpartyTenantId: idSchema.optional().meta({ description: 'With this tenant.' }),
});
export type PaymentsInput = z.output<typeof paymentsInput>;

/** The tenant's payments, newest first, outgoing and incoming ones. */
export class Payments extends TenantQuery<PaymentsInput, Page<PaymentView>> {
  readonly scope = 'payments:read';
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
       b.reason, (b.results #>> '{hold,holdId}')::uuid, b.started_at, b.ended_at
     from sagas.sagas b
     where b.tenant_id = $1 and b.name = 'payments.bank_payment' and b.id = any ($2::uuid[])
   ) p
   order by p.id desc`,
);

// Each kind by its own index, and no more of it than is shown.
const LIST = statement<{ readonly id: string }>(
  'payments.list',
  `select p.id
   from (
     (select h.id
      from payments.payments h
      where h.tenant_id = $1 and h.id < $2 and ($3::text is null or h.direction = $3) and ($5::uuid is null or h.counterparty_id = $5)
        and ($4::text is null or h.status = case $4 when 'needs_operator' then 'pending' else $4 end)
        and ($4::text is null or $4 not in ('pending', 'needs_operator') or ($4 = 'needs_operator') = exists (
          select from sagas.sagas s where s.tenant_id = $1 and s.id = h.id and s.state = 'needs_operator'))
      order by h.id desc
      limit $6)
     union all
     (select b.id
      from sagas.sagas b
      where b.tenant_id = $1 and b.name = 'payments.bank_payment' and b.id < $2 and $3::text is distinct from 'incoming'
        and $5::uuid is null
        and ($4::text is null or b.state = any (case $4
          when 'pending' then array['running', 'compensating'] when 'failed' then array['compensated'] else array[$4] end))
        and ($4::text is null or $4 not in ('failed', 'compensated') or ($4 = 'compensated') = (b.results ? 'hold'))
      order by b.id desc
      limit $6)
   ) p
   order by p.id desc
   limit $6`,
);

/** Behind every id. */
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Payments of the transaction's tenant by their ids, newest first, as its side sees them. */
export function seePayments(tx: TenantTx, ids: readonly string[]): Promise<PaymentRow[]> {
  return tx.rows(SEE, [tx.tenantId, ids]);
}

/** Payments of the transaction's tenant, newest first, up to `limit` behind `before`; reads as one only in a transaction of one snapshot. */
export async function listPayments(
  tx: TenantTx,
  asked: Pick<PaymentsInput, 'direction' | 'status' | 'counterpartyTenantId'>,
  before: string | undefined,
  limit: number,
): Promise<PaymentRow[]> {
  const { direction = null, status = null, counterpartyTenantId = null } = asked;
  const filters = [direction, status, counterpartyTenantId];
  const keys = await tx.rows(LIST, [tx.tenantId, before ?? LAST_ID, ...filters, limit]);
  return seePayments(
    tx,
    keys.map(({ id }) => id),
  );
}

const cursors = new Cursors('payments.payments', z.tuple([z.guid()]));

@QueryHandler(Payments)
export class PaymentsHandler implements IQueryHandler<Payments> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: Payments): Promise<Page<PaymentView>> {
    const { limit, after, ...asked } = input;
    const [before] = cursors.decode(caller, after) ?? [];
    const rows = await this.tenants.inOneSnapshot(caller, (tx) => listPayments(tx, asked, before, limit + 1));
    return page(rows, limit, showPayment, (row) => cursors.encode(caller, [row.id]));
  }
}
