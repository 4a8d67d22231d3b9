import { SagaRunner } from '@holdfast/sagas';
import { type DynamicModule, Module } from '@nestjs/common';
import { PaymentByIdHandler } from './payment-by-id.query';
import { PaymentsController } from './payments.controller';
import { PaymentsHandler } from './payments.query';
import { PaymentsResolver } from './payments.resolver';
import { SendPaymentHandler } from './send-payment.command';
import './payments.aggregates';

/** Payments between tenants. The runner of sagas is the process's to stop. */
@Module({})
export class PaymentsModule {
  static forRoot(sagas: SagaRunner): DynamicModule {
    return {
      module: PaymentsModule,
      controllers: [PaymentsController],
      providers: [
        { provide: SagaRunner, useValue: sagas },
        SendPaymentHandler,
        PaymentByIdHandler,
        PaymentsHandler,
        PaymentsResolver,
      ],
    };
  }
}
