import type { Caller } from '@holdfast/kernel';
import { CallerOf, Needs } from '@holdfast/http';
import { Controller, Get, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { OwnTenant } from './own-tenant.query';
import { TenantUsage, tenantUsageInput, tenantUsageView } from './tenant-usage.query';
import { tenantView, type TenantView } from './tenant-view';

@ApiTags('tenant')
@Controller('v1')
export class TenantController {
  constructor(private readonly queries: QueryBus) {}

  @Get('tenant')
  @Needs('tenant:read')
  @ApiOperation({ summary: 'Show the tenant of the credential' })
  @ApiOkResponse({ standardSchema: tenantView })
  own(@CallerOf() caller: Caller): Promise<TenantView> {
    return this.queries.execute(new OwnTenant(caller, {}));
  }

  @Get('usage')
  @Needs('tenant:read')
  @ApiOperation({ summary: 'Count events by day and type' })
  @ApiOkResponse({ standardSchema: tenantUsageView })
  usage(
    @CallerOf() caller: Caller,
    @Query({ schema: tenantUsageInput }) input: z.output<typeof tenantUsageInput>,
  ): Promise<z.output<typeof tenantUsageView>> {
    return this.queries.execute(new TenantUsage(caller, input));
  }
}
