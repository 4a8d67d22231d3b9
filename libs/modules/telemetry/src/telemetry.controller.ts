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
  TelemetryFunnel,
  telemetryFunnelAnswer,
  telemetryFunnelInput,
  type TelemetryFunnelStep,
} from './telemetry-funnel.query';
import {
  TelemetryIngest,
  telemetryIngestAnswer,
  telemetryIngestInput,
  type TelemetryIngestView,
} from './telemetry-ingest.query';
import {
  type TelemetryPoint,
  TelemetrySeries,
  telemetrySeriesAnswer,
  telemetrySeriesInput,
} from './telemetry-series.query';
import {
  TelemetryTop,
  telemetryTopAnswer,
  telemetryTopInput,
  type TelemetryTopValue,
} from './telemetry-top.query';
import {
  TelemetryUsers,
  telemetryUsersAnswer,
  telemetryUsersInput,
  type TelemetryUsersView,
} from './telemetry-users.query';

@ApiTags('telemetry')
@Controller('v1/telemetry')
export class TelemetryController {
  constructor(private readonly queries: QueryBus) {}

  @Get('events')
  @Needs('telemetry:read')
  @ApiOperation({ summary: 'List domain events and tracked events in the telemetry store, newest first' })
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

  @Get('top')
  @Needs('telemetry:read')
  @ApiOperation({ summary: 'List the most frequent values of a column or property' })
  @ApiOkResponse({ standardSchema: telemetryTopAnswer })
  top(
    @CallerOf() caller: Caller,
    @Query({ schema: telemetryTopInput }) input: z.output<typeof telemetryTopInput>,
  ): Promise<{ data: TelemetryTopValue[] }> {
    return this.queries.execute(new TelemetryTop(caller, input));
  }

  @Get('users')
  @Needs('telemetry:read')
  @ApiOperation({ summary: 'Count unique users of tracked events, over the range and per interval' })
  @ApiOkResponse({ standardSchema: telemetryUsersAnswer })
  users(
    @CallerOf() caller: Caller,
    @Query({ schema: telemetryUsersInput }) input: z.output<typeof telemetryUsersInput>,
  ): Promise<TelemetryUsersView> {
    return this.queries.execute(new TelemetryUsers(caller, input));
  }

  @Get('funnels')
  @Needs('telemetry:read')
  @ApiOperation({ summary: 'Count the users who do one event after another within a time' })
  @ApiOkResponse({ standardSchema: telemetryFunnelAnswer })
  funnels(
    @CallerOf() caller: Caller,
    @Query({ schema: telemetryFunnelInput }) input: z.output<typeof telemetryFunnelInput>,
  ): Promise<{ data: TelemetryFunnelStep[] }> {
    return this.queries.execute(new TelemetryFunnel(caller, input));
  }

  @Get('ingest')
  @Needs('telemetry:read')
  @ApiOperation({ summary: 'Show what became of the events that were sent, and samples of what was refused' })
  @ApiOkResponse({ standardSchema: telemetryIngestAnswer })
  ingest(
    @CallerOf() caller: Caller,
    @Query({ schema: telemetryIngestInput }) input: z.output<typeof telemetryIngestInput>,
  ): Promise<TelemetryIngestView> {
    return this.queries.execute(new TelemetryIngest(caller, input));
  }
}
