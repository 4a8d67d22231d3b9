import { newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { LedgerModule } from '@holdfast/ledger';
import { PaymentsModule, SendPayment } from '@holdfast/payments';
import { callerOf } from '@holdfast/tenancy';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus } from '@nestjs/cqrs';
import type { PaymentsStage } from '../../../libs/modules/payments/test/payments-stage';
import { type MortalPlan, runMortal } from '../../../libs/platform/sagas/test/mortal-process';

/** What a process is to do. */
export interface PaymentPlan extends MortalPlan {
  /** Asked for as the API does, which goes on with them. */
  readonly begins: readonly {
    readonly tenantId: string;
    readonly input: ReturnType<PaymentsStage['input']>;
  }[];
  /** Whether it takes up once what others have left, as a worker does. */
  readonly takes: boolean;
}

@Module({})
class PaymentProcess {}

runMortal(async ({ begins, takes }: PaymentPlan, { tenants, grants, runner }) => {
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
