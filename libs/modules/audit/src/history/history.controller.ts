import type { Caller } from '@holdfast/kernel';
import { type Page, pageOf } from '@holdfast/cqrs';
import { CallerOf, Needs } from '@holdfast/http';
import { Controller, Get, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import {
  AuditHistory,
  auditHistoryInput,
  auditVersionView,
  type AuditVersionView,
} from './audit-history.query';

@ApiTags('audit')
@Controller('v1/audit/history')
export class HistoryController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @Needs('audit:read')
  @ApiOperation({
    summary: 'List the versions of an entity, the first one first',
    description: 'With the fields that each changed, folded from the events of the stream.',
  })
  @ApiOkResponse({ standardSchema: pageOf(auditVersionView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: auditHistoryInput }) input: z.output<typeof auditHistoryInput>,
  ): Promise<Page<AuditVersionView>> {
    return this.queries.execute(new AuditHistory(caller, input));
  }
}
