import { newId } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { normalSideOf } from '@holdfast/ledger';
import { SagaRunner } from '@holdfast/sagas';
import type { TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { type PaymentView, type SendPaymentInput, showPayment } from './payment';
import { request } from './payment-legs';
import { payment } from './payment.saga';
import { getPayment } from './payment-by-id.query';
import { SameTenant } from './payments.errors';

/**
 * Asks for a payment to another tenant; answers it as it is, which is pending. Throws SameTenant, and of the payer's account
 * AccountNotFound, AccountReserved, AccountClosed or AssetMismatch. Whether it has the money is decided when it is held, and everything
 * about the payee's side behind that.
 */
export class SendPayment extends TenantCommand<SendPaymentInput, PaymentView> {
  readonly scope = 'payments:write';
}

@CommandHandler(SendPayment)
export class SendPaymentHandler extends TenantCommandHandler<SendPayment> {
  constructor(private readonly sagas: SagaRunner) {
    super();
  }

  protected async handle(tx: TenantTx, { input: { amount, ...named } }: SendPayment): Promise<PaymentView> {
    if (named.toTenantId === tx.tenantId) throw new SameTenant();
    await normalSideOf(tx, named.fromAccountId, named.asset);
    const input = { ...named, amount: String(amount) };
    const id = newId();
    await request(tx, { paymentId: id, input });
    await this.sagas.begin(tx, payment, input, id);
    return showPayment(await getPayment(tx, id));
  }
}
