import { NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { type PaymentRow, type PaymentView, showPayment } from './payment';
import { seePayments } from './seen-payments.sql';

/** One payment, as this tenant's side sees it. Throws NotFound. */
export class PaymentById extends TenantQuery<{ readonly id: string }, PaymentView> {
  readonly scope = 'payments:read';
}

/** The row of this side. Throws NotFound. */
export async function getPayment(tx: TenantTx, id: string): Promise<PaymentRow> {
  const [row] = await seePayments(tx, [id]);
  if (!row) throw new NotFound();
  return row;
}

@QueryHandler(PaymentById)
export class PaymentByIdHandler implements IQueryHandler<PaymentById> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { id } }: PaymentById): Promise<PaymentView> {
    return showPayment(await this.tenants.reading(caller, (tx) => getPayment(tx, id)));
  }
}
