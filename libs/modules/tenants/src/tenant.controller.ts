import type { Caller } from '@holdfast/kernel';
import type { Idempotency } from '@holdfast/cqrs';
import {
  ApiIdempotencyKey,
  ApiIfMatch,
  CallerOf,
  IdempotencyKey,
  IfMatch,
  Needs,
  Versioned,
} from '@holdfast/http';
import { Body, Controller, Get, Patch, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { ChangeTenant, changeTenantInput } from './change-tenant.command';
import { OwnTenant } from './own-tenant.query';
import { QuotaUse, usageView } from './quota-use.query';
import { TenantUsage, tenantUsageInput } from './tenant-usage.query';
import { tenantView, type TenantView } from './tenant-view';

@ApiTags('tenant')
@Controller('v1')
export class TenantController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get('tenant')
  @Needs('tenant:read')
  @Versioned()
  @ApiOperation({ summary: 'Show the tenant of the credential, its plan and its settings' })
  @ApiOkResponse({ standardSchema: tenantView })
  own(@CallerOf() caller: Caller): Promise<TenantView> {
    return this.queries.execute(new OwnTenant(caller, {}));
  }

  @Patch('tenant')
  @Needs('tenant:write')
  @ApiOperation({ summary: 'Change the name or settings of the tenant' })
  @ApiIdempotencyKey()
  @ApiIfMatch()
  @Versioned()
  @ApiOkResponse({ standardSchema: tenantView })
  change(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @IfMatch() version: string,
    @Body({ schema: changeTenantInput }) input: z.output<typeof changeTenantInput>,
  ): Promise<TenantView> {
    return this.commands.execute(new ChangeTenant(caller, { ...input, version }, idempotency));
  }

  @Get('usage')
  @Needs('tenant:read')
  @ApiOperation({ summary: 'Count events by day and type, and show quotas with what is used of them' })
  @ApiOkResponse({ standardSchema: usageView })
  async usage(
    @CallerOf() caller: Caller,
    @Query({ schema: tenantUsageInput }) input: z.output<typeof tenantUsageInput>,
  ): Promise<z.output<typeof usageView>> {
    const { data } = await this.queries.execute(new TenantUsage(caller, input));
    const quotas = await this.queries.execute(new QuotaUse(caller, {}));
    return { data, quotas };
  }
}
