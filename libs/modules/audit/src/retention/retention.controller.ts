import type { Caller } from '@holdfast/kernel';
import type { Idempotency } from '@holdfast/cqrs';
import { ApiIdempotencyKey, CallerOf, IdempotencyKey, Needs } from '@holdfast/http';
import { Body, Controller, Get, Patch } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { AuditRetention } from './audit-retention.query';
import { ChangeAuditRetention } from './change-audit-retention.command';
import { type AuditRetentionView, auditRetentionView, changeAuditRetentionInput } from './retention-view';

@ApiTags('audit')
@Controller('v1/audit/retention')
export class RetentionController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Needs('audit:read')
  @ApiOperation({ summary: 'Show how long events are kept' })
  @ApiOkResponse({ standardSchema: auditRetentionView })
  show(@CallerOf() caller: Caller): Promise<AuditRetentionView> {
    return this.queries.execute(new AuditRetention(caller, {}));
  }

  @Patch()
  @Needs('audit:write')
  @ApiOperation({ summary: 'Say how long events are kept' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: auditRetentionView })
  change(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: changeAuditRetentionInput }) input: AuditRetentionView,
  ): Promise<AuditRetentionView> {
    return this.commands.execute(new ChangeAuditRetention(caller, input, idempotency));
  }
}
