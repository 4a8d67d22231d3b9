import type { Caller } from '@holdfast/kernel';
import { type Page, pageOf } from '@holdfast/cqrs';
import { CallerOf, Needs } from '@holdfast/http';
import { Controller, Get, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { telemetryEventView, type TelemetryEventView } from './telemetry-event-view';
import { TelemetryEvents, telemetryEventsInput } from './telemetry-events.query';
import {
  type TelemetryPoint,
  TelemetrySeries,
  telemetrySeriesAnswer,
  telemetrySeriesInput,
} from './telemetry-series.query';

@ApiTags('telemetry')
@Controller('v1/telemetry')
export class TelemetryController {
  constructor(private readonly queries: QueryBus) {}

  @Get('events')
  @Needs('telemetry:read')
  @ApiOperation({ summary: 'List events in the telemetry store, newest first' })
  @ApiOkResponse({ standardSchema: pageOf(telemetryEventView) })
  events(
    @CallerOf() caller: Caller,
    @Query({ schema: telemetryEventsInput }) input: z.output<typeof telemetryEventsInput>,
  ): Promise<Page<TelemetryEventView>> {
    return this.queries.execute(new TelemetryEvents(caller, input));
  }

  @Get('series')
  @Needs('telemetry:read')
  @ApiOperation({ summary: 'Count an event per minute, hour or day' })
  @ApiOkResponse({ standardSchema: telemetrySeriesAnswer })
  series(
    @CallerOf() caller: Caller,
    @Query({ schema: telemetrySeriesInput }) input: z.output<typeof telemetrySeriesInput>,
  ): Promise<{ data: TelemetryPoint[] }> {
    return this.queries.execute(new TelemetrySeries(caller, input));
  }
}
