import { type Caller, idSchema } from '@holdfast/kernel';
import { type Idempotency, type Page, pageOf } from '@holdfast/cqrs';
import { ApiIdempotencyKey, CallerOf, IdempotencyKey, Needs } from '@holdfast/http';
import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { paymentView, type PaymentView, sendPaymentInput, type SendPaymentInput } from './payment';
import { PaymentById } from './payment-by-id.query';
import { Payments, paymentsInput, type PaymentsInput } from './payments.query';
import { SendPayment } from './send-payment.command';

@ApiTags('payments')
@Controller('v1/payments')
export class PaymentsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @Needs('payments:write')
  @HttpCode(202)
  @ApiOperation({ summary: 'Pay another tenant; what comes of it is read, or comes by webhook' })
  @ApiIdempotencyKey()
  @ApiAcceptedResponse({ standardSchema: paymentView })
  send(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: sendPaymentInput }) input: SendPaymentInput,
  ): Promise<PaymentView> {
    return this.commands.execute(new SendPayment(caller, input, idempotency));
  }

  @Get()
  @Needs('payments:read')
  @ApiOperation({
    summary: 'List payments, newest first; a page of filtered ones may be short though there are more',
  })
  @ApiOkResponse({ standardSchema: pageOf(paymentView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: paymentsInput }) input: PaymentsInput,
  ): Promise<Page<PaymentView>> {
    return this.queries.execute(new Payments(caller, input));
  }

  @Get(':id')
  @Needs('payments:read')
  @ApiOperation({ summary: 'Read a payment, as your side sees it' })
  @ApiOkResponse({ standardSchema: paymentView })
  read(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<PaymentView> {
    return this.queries.execute(new PaymentById(caller, { id }));
  }
}
