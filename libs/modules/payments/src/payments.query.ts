import { idSchema } from '@holdfast/kernel';
import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { directionSchema, paymentStatusSchema, type PaymentView, showPayment } from './payment';
import { listPayments } from './seen-payments.sql';

/** What GET /v1/payments takes. */
export const paymentsInput = z.strictObject({
  ...pageInput,
  direction: directionSchema.optional(),
  status: paymentStatusSchema.optional(),
  counterpartyTenantId: idSchema.optional().meta({ description: 'With this tenant.' }),
});
export type PaymentsInput = z.output<typeof paymentsInput>;

/**
 * The tenant's payments, newest first, outgoing and incoming ones. Where filters leave out nearly all, a page may be short or empty though
 * there are more behind its cursor.
 */
export class Payments extends TenantQuery<PaymentsInput, Page<PaymentView>> {
  readonly scope = 'payments:read';
}

const cursors = new Cursors('payments.payments', z.tuple([z.guid()]));

@QueryHandler(Payments)
export class PaymentsHandler implements IQueryHandler<Payments> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: Payments): Promise<Page<PaymentView>> {
    const { limit, after, ...asked } = input;
    const [before] = cursors.decode(caller, after) ?? [];
    const { rows, last } = await this.tenants.inOneSnapshot(caller, (tx) =>
      listPayments(tx, asked, before, limit + 1),
    );
    const encode = (id: string): string => cursors.encode(caller, [id]);
    return page(rows, limit, showPayment, ({ id }) => encode(id), last && encode(last));
  }
}
