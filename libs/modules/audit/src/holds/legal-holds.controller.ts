import { type Caller, idSchema } from '@holdfast/kernel';
import { type Idempotency, pageOf, type Page } from '@holdfast/cqrs';
import { ApiIdempotencyKey, CallerOf, IdempotencyKey, Needs } from '@holdfast/http';
import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { legalHoldView, type LegalHoldView } from './legal-hold';
import { LegalHoldById, LegalHolds, legalHoldsInput } from './legal-holds.query';
import { LiftLegalHold } from './lift-legal-hold.command';
import { PlaceLegalHold, placeLegalHoldInput } from './place-legal-hold.command';

@ApiTags('audit')
@Controller('v1/audit/legal-holds')
export class LegalHoldsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Needs('personal:read')
  @ApiOperation({ summary: 'List legal holds, newest first' })
  @ApiOkResponse({ standardSchema: pageOf(legalHoldView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: legalHoldsInput }) input: z.output<typeof legalHoldsInput>,
  ): Promise<Page<LegalHoldView>> {
    return this.queries.execute(new LegalHolds(caller, input));
  }

  @Post()
  @Needs('personal:write')
  @ApiOperation({ summary: 'Keep a person, or everything of the tenant, from being erased' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: legalHoldView })
  place(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: placeLegalHoldInput }) input: z.output<typeof placeLegalHoldInput>,
  ): Promise<LegalHoldView> {
    return this.commands.execute(new PlaceLegalHold(caller, input, idempotency));
  }

  @Get(':id')
  @Needs('personal:read')
  @ApiOperation({ summary: 'Show a legal hold' })
  @ApiOkResponse({ standardSchema: legalHoldView })
  show(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<LegalHoldView> {
    return this.queries.execute(new LegalHoldById(caller, { id }));
  }

  @Post(':id/lift')
  @Needs('personal:write')
  @HttpCode(200)
  @ApiOperation({ summary: 'Lift a legal hold' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: legalHoldView })
  lift(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<LegalHoldView> {
    return this.commands.execute(new LiftLegalHold(caller, { id }, idempotency));
  }
}
