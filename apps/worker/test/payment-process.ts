import { newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { LedgerModule } from '@holdfast/ledger';
import { PaymentsModule, payThrough, SendPayment } from '@holdfast/payments';
import { callerOf } from '@holdfast/tenancy';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus } from '@nestjs/cqrs';
import { type MortalPlan, runMortal } from '../../../libs/platform/sagas/test/mortal-process';

/** What a process is to do. */
export interface PaymentPlan extends MortalPlan {
  /** Asked for as the API does, which goes on with them. */
  readonly begins: readonly {
    readonly tenantId: string;
    /** As `SendPayment` has it, but for its amount, which is sent as digits. */
    readonly input: Omit<SendPayment['input'], 'amount'> & { readonly amount: string };
  }[];
  /** Whether it takes up once what others have left, as a worker does. */
  readonly takes: boolean;
  /** Of the bank that payments go through. */
  readonly bankUrl: string;
}

@Module({})
class PaymentProcess {}

runMortal(async ({ begins, takes, bankUrl }: PaymentPlan, { tenants, grants, runner }) => {
  payThrough({ url: bankUrl, secret: 'secret' });
  const imports = [MessagesModule.forRoot(tenants), LedgerModule, PaymentsModule.forRoot(runner)];
  const app = await NestFactory.createApplicationContext(
    { module: PaymentProcess, imports },
    { logger: false },
  );
  for (const { tenantId, input } of begins) {
    const caller = callerOf(await grants.forSystem('test', tenantId), { requestId: newId() });
    const asked = { ...input, amount: BigInt(input.amount) };
    await app.get(CommandBus).execute(new SendPayment(caller, asked));
  }
  if (takes) await runner.runDue();
});
