import { type Caller } from '@holdfast/kernel';
import { type Idempotency } from '@holdfast/cqrs';
import { ApiIdempotencyKey, CallerOf, IdempotencyKey, Needs } from '@holdfast/http';
import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { ClosePeriod, ReopenPeriod } from './close-period.command';
import { closePeriodInput, periodView, type PeriodView, reopenPeriodInput } from './period';
import { Period } from './period.query';

@ApiTags('ledger')
@Controller('v1/ledger/period')
export class PeriodsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Needs('ledger:read')
  @ApiOperation({ summary: 'Show up to which day the books are closed' })
  @ApiOkResponse({ standardSchema: periodView })
  period(@CallerOf() caller: Caller): Promise<PeriodView> {
    return this.queries.execute(new Period(caller, {}));
  }

  @Post('close')
  @Needs('ledger:close')
  @HttpCode(200)
  @ApiOperation({ summary: 'Close all days through one: nothing can be dated back into them any more' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: periodView })
  close(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: closePeriodInput }) input: z.output<typeof closePeriodInput>,
  ): Promise<PeriodView> {
    return this.commands.execute(new ClosePeriod(caller, input, idempotency));
  }

  @Post('reopen')
  @Needs('ledger:close')
  @HttpCode(200)
  @ApiOperation({ summary: 'Open the days behind one again, or all of them' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: periodView })
  reopen(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: reopenPeriodInput }) input: z.output<typeof reopenPeriodInput>,
  ): Promise<PeriodView> {
    return this.commands.execute(new ReopenPeriod(caller, input, idempotency));
  }
}
