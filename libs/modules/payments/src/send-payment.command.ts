import { newId } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { normalSideOf } from '@holdfast/ledger';
import { SagaRunner } from '@holdfast/sagas';
import type { TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { type PaymentView, type SendPaymentInput, showPayment } from './payment';
import { bankPayment, type BankPaymentInput, checkBankPayment } from './bank/bank-payment.saga';
import { type PaymentInput, request } from './payment-legs';
import { payment } from './payment.saga';
import { getPayment } from './payment-by-id.query';
import { SameTenant } from './payments.errors';

/**
 * Asks for a payment to another tenant, or to an account at another bank; answers it as it is, which is pending. Throws SameTenant or
 * BankNotConfigured, and of the payer's account
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
    const id = newId();
    const { fromAccountId, toTenantId, toAccountId, toIban, asset } = named;
    const what = { fromAccountId, asset, amount: String(amount) };
    if (toIban) await this.payBank(tx, { ...what, toIban }, id);
    // The input names both where it names no bank.
    else
      await this.payTenant(tx, { ...what, toTenantId: toTenantId ?? '', toAccountId: toAccountId ?? '' }, id);
    return showPayment(await getPayment(tx, id));
  }

  private async payTenant(tx: TenantTx, input: PaymentInput, id: string): Promise<void> {
    if (input.toTenantId === tx.tenantId) throw new SameTenant();
    await normalSideOf(tx, input.fromAccountId, input.asset);
    await request(tx, { paymentId: id, input });
    await this.sagas.begin(tx, payment, input, id);
  }

  private async payBank(tx: TenantTx, input: BankPaymentInput, id: string): Promise<void> {
    await checkBankPayment(tx, input);
    await this.sagas.begin(tx, bankPayment, input, id);
  }
}
