import type { Caller } from '@holdfast/kernel';
import {
  CallerOf,
  connectionOf,
  dto,
  Needs,
  PageArgs,
  pageInputOf,
  represent,
  toConnection,
} from '@holdfast/http';
import { QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { telemetryEventView, telemetryStreamView } from './telemetry-event-view';
import { TelemetryEvents, telemetryEventsInput } from './telemetry-events.query';
import { telemetryPointView, TelemetrySeries, telemetrySeriesInput } from './telemetry-series.query';

@ObjectType()
export class TelemetryStream extends dto(telemetryStreamView, 'output') {}

represent(telemetryStreamView, 'output', () => TelemetryStream);

@ObjectType()
export class TelemetryEvent extends dto(telemetryEventView, 'output') {}

@ObjectType()
export class TelemetryEventConnection extends connectionOf(TelemetryEvent) {}

@ObjectType({ description: 'Events in the interval that begins at `at`.' })
export class TelemetryPoint extends dto(telemetryPointView, 'output') {}

const { type, from, to } = telemetryEventsInput.shape;

// A GraphQL client may send null for what it leaves out.
@ArgsType()
export class TelemetryEventsArgs extends dto(
  PageArgs.schema.extend({ type: type.nullable(), from: from.nullable(), to: to.nullable() }),
  'args',
) {}

@ArgsType()
export class TelemetrySeriesArgs extends dto(
  telemetrySeriesInput.extend({ from: from.nullable(), to: to.nullable() }),
  'args',
) {}

@Resolver(() => TelemetryEvent)
export class TelemetryResolver {
  constructor(private readonly queries: QueryBus) {}

  @Query(() => TelemetryEventConnection, { description: 'Events in the telemetry store, newest first.' })
  @Needs('telemetry:read')
  async telemetryEvents(
    @CallerOf() caller: Caller,
    @Args() args: TelemetryEventsArgs,
  ): Promise<TelemetryEventConnection> {
    const filters = { type: args.type ?? undefined, from: args.from ?? undefined, to: args.to ?? undefined };
    return toConnection(
      await this.queries.execute(new TelemetryEvents(caller, { ...pageInputOf(args), ...filters })),
    );
  }

  @Query(() => [TelemetryPoint], {
    description: 'How often an event happened per interval; empty ones are left out.',
  })
  @Needs('telemetry:read')
  async telemetrySeries(
    @CallerOf() caller: Caller,
    @Args() args: TelemetrySeriesArgs,
  ): Promise<TelemetryPoint[]> {
    const { event, interval } = args;
    const range = { from: args.from ?? undefined, to: args.to ?? undefined };
    return (await this.queries.execute(new TelemetrySeries(caller, { event, interval, ...range }))).data;
  }
}
