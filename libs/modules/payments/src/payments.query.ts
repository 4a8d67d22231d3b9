import { idSchema } from '@holdfast/kernel';
import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
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
export const LIST = statement<PaymentRow>(
  'payments.list',
  `select p.tenant_id, p.id, p.direction, p.counterparty_id, p.account_id, p.counterparty_account_id, p.iban, p.amount, p.asset,
     p.status, p.reason, p.hold_id,
     to_char(p.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as created_at,
     to_char(p.ended_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as ended_at
   from (
     select h.tenant_id, h.id, h.direction, h.counterparty_id, h.account_id, h.counterparty_account_id, null as iban, h.amount, h.asset,
       case when h.status = 'pending' and s.state = 'needs_operator' then s.state else h.status end as status,
       h.reason, h.hold_id, h.created_at, h.ended_at
     from payments.payments h
     left join sagas.sagas s on s.tenant_id = $1 and s.id = h.id
     where h.tenant_id = $1
     union all
     select b.tenant_id, b.id, 'outgoing', null, (b.input ->> 'fromAccountId')::uuid, null, b.input ->> 'toIban',
       (b.input ->> 'amount')::bigint, b.input ->> 'asset',
       case when b.state in ('running', 'compensating') then 'pending'
         when b.state = 'compensated' and not b.results ? 'hold' then 'failed'
         else b.state end,
       b.reason, (b.results #>> '{hold,holdId}')::uuid, b.started_at, b.ended_at
     from sagas.sagas b
     where b.tenant_id = $1 and b.name = 'payments.bank_payment'
   ) p
   where ($2::uuid is null or p.id < $2)
     and ($3::uuid is null or p.id = $3)
     and ($4::text is null or p.direction = $4)
     and ($5::text is null or p.status = $5)
     and ($6::uuid is null or p.counterparty_id = $6)
   order by p.id desc
   limit $7`,
);

const cursors = new Cursors('payments.payments', z.tuple([z.guid()]));

@QueryHandler(Payments)
export class PaymentsHandler implements IQueryHandler<Payments> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: Payments): Promise<Page<PaymentView>> {
    const { limit, after, direction = null, status = null, counterpartyTenantId = null } = input;
    const [before] = cursors.decode(caller, after) ?? [null];
    const filters = [direction, status, counterpartyTenantId];
    const rows = await this.tenants.rows(caller, LIST, [
      caller.tenantId,
      before,
      null,
      ...filters,
      limit + 1,
    ]);
    return page(rows, limit, showPayment, (row) => cursors.encode(caller, [row.id]));
  }
}
