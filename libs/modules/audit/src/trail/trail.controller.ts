import { type Caller, idSchema } from '@holdfast/kernel';
import { type Page, pageOf } from '@holdfast/cqrs';
import { CallerOf, Needs } from '@holdfast/http';
import { Controller, Get, Param, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { AuditChain, auditChainView, type AuditChainView } from '../chain/audit-chain.query';
import { auditEventDetailView, type AuditEventDetailView } from './audit-event-detail-view';
import { auditEventView, type AuditEventView } from './audit-event-view';
import { AuditEvent } from './audit-event.query';
import { AuditTrail, auditTrailInput } from './audit-trail.query';

@ApiTags('audit')
@Controller('v1/audit/events')
export class AuditController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @Needs('audit:read')
  @ApiOperation({
    summary: 'List what happened, newest first; a page of filtered events may be short though there are more',
    description:
      'Follow what happens as it comes at `/v1/events/stream`, and without a gap over years at `/v1/audit/feed`.',
  })
  @ApiOkResponse({ standardSchema: pageOf(auditEventView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: auditTrailInput }) input: z.output<typeof auditTrailInput>,
  ): Promise<Page<AuditEventView>> {
    return this.queries.execute(new AuditTrail(caller, input));
  }

  @Get(':id')
  @Needs('audit:read')
  @ApiOperation({ summary: 'Read one event, with what it changed' })
  @ApiOkResponse({ standardSchema: auditEventDetailView })
  read(
    @CallerOf() caller: Caller,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<AuditEventDetailView> {
    return this.queries.execute(new AuditEvent(caller, { id }));
  }

  @Get(':id/chain')
  @Needs('audit:read')
  @ApiOperation({ summary: 'Read why an event came to be, and what came of it' })
  @ApiOkResponse({ standardSchema: auditChainView })
  chain(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<AuditChainView> {
    return this.queries.execute(new AuditChain(caller, { id }));
  }
}
