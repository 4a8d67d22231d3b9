import { type Caller, idSchema } from '@holdfast/kernel';
import { pageOf, type Page } from '@holdfast/cqrs';
import { CallerOf, Needs } from '@holdfast/http';
import { Controller, Delete, Get, HttpCode, Param, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { EndSupportAccess } from './end-support-access.command';
import { supportAccessView, type SupportAccessView } from './support-access-view';
import { SupportAccessById } from './support-access.query';
import { SupportAccesses, supportAccessesInput } from './support-accesses.query';

@ApiTags('identity')
@Controller('v1/support-accesses')
export class SupportAccessesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Needs('support:read')
  @ApiOperation({ summary: 'List when and why the operator acted for the tenant, newest first' })
  @ApiOkResponse({ standardSchema: pageOf(supportAccessView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: supportAccessesInput }) input: z.output<typeof supportAccessesInput>,
  ): Promise<Page<SupportAccessView>> {
    return this.queries.execute(new SupportAccesses(caller, input));
  }

  @Get(':id')
  @Needs('support:read')
  @ApiOperation({ summary: 'Show one access of the operator' })
  @ApiOkResponse({ standardSchema: supportAccessView })
  show(
    @CallerOf() caller: Caller,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<SupportAccessView> {
    return this.queries.execute(new SupportAccessById(caller, { id }));
  }

  @Delete(':id')
  @Needs('support:write')
  @HttpCode(204)
  @ApiOperation({ summary: 'End an access of the operator; every process refuses it within five seconds' })
  @ApiNoContentResponse()
  async end(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<void> {
    await this.commands.execute(new EndSupportAccess(caller, { id }));
  }
}
