import type { Caller } from '@holdfast/kernel';
import { CallerOf, Needs } from '@holdfast/http';
import { Controller, Get, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { AuditState, auditStateInput, auditStateView, type AuditStateView } from './audit-state.query';

@ApiTags('audit')
@Controller('v1/audit/state')
export class StateController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @Needs('audit:read')
  @ApiOperation({ summary: 'Read what an aggregate was at an instant, folded from its events' })
  @ApiOkResponse({ standardSchema: auditStateView })
  read(
    @CallerOf() caller: Caller,
    @Query({ schema: auditStateInput }) input: z.output<typeof auditStateInput>,
  ): Promise<AuditStateView> {
    return this.queries.execute(new AuditState(caller, input));
  }
}
