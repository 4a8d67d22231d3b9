import { type Caller, idSchema } from '@holdfast/kernel';
import {
  CallerOf,
  connectionOf,
  dto,
  idempotencyOf,
  Needs,
  PageArgs,
  pageInputOf,
  toConnection,
} from '@holdfast/http';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, InputType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { paymentView, sendPaymentInput } from './payment';
import { PaymentById } from './payment-by-id.query';
import { Payments, paymentsInput } from './payments.query';
import { SendPayment } from './send-payment.command';

@ObjectType()
export class Payment extends dto(paymentView, 'output') {}

@ObjectType()
export class PaymentConnection extends connectionOf(Payment) {}

@InputType()
export class SendPaymentInput extends dto(sendPaymentInput, 'input') {}

@ArgsType()
export class PaymentArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

const { direction, status, counterpartyTenantId } = paymentsInput.shape;

// A GraphQL client may send null for what it leaves out.
@ArgsType()
export class PaymentsArgs extends dto(
  PageArgs.schema.extend({
    direction: direction.nullable(),
    status: status.nullable(),
    counterpartyTenantId: counterpartyTenantId.nullable(),
  }),
  'args',
) {}

@Resolver(() => Payment)
export class PaymentsResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => PaymentConnection, { description: 'Payments from and to other tenants, newest first.' })
  @Needs('payments:read')
  async payments(@CallerOf() caller: Caller, @Args() args: PaymentsArgs): Promise<PaymentConnection> {
    const filters = {
      direction: args.direction ?? undefined,
      status: args.status ?? undefined,
      counterpartyTenantId: args.counterpartyTenantId ?? undefined,
    };
    return toConnection(
      await this.queries.execute(new Payments(caller, { ...pageInputOf(args), ...filters })),
    );
  }

  @Query(() => Payment, { description: 'A payment, as your side sees it.' })
  @Needs('payments:read')
  payment(@CallerOf() caller: Caller, @Args() { id }: PaymentArgs): Promise<Payment> {
    return this.queries.execute(new PaymentById(caller, { id }));
  }

  @Mutation(() => Payment, { description: 'Pays another tenant; answers the payment, which is pending.' })
  @Needs('payments:write')
  sendPayment(
    @CallerOf() caller: Caller,
    @Args('input') input: SendPaymentInput,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<Payment> {
    return this.commands.execute(new SendPayment(caller, input, idempotencyOf(idempotencyKey)));
  }
}
