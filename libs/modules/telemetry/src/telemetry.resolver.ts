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

const filters = telemetryEventsInput.shape;

// A GraphQL client may send null for what it leaves out.
@ArgsType()
export class TelemetryEventsArgs extends dto(
  PageArgs.schema.extend({
    type: filters.type.nullable(),
    kind: filters.kind.nullable(),
    user: filters.user.nullable(),
    from: filters.from.nullable(),
    to: filters.to.nullable(),
  }),
  'args',
) {}

@ArgsType()
export class TelemetrySeriesArgs extends dto(
  telemetrySeriesInput.extend({
    kind: filters.kind.nullable(),
    from: filters.from.nullable(),
    to: filters.to.nullable(),
  }),
  'args',
) {}

/** Filters without the nulls. */
function filtersOf<Kind extends string>(args: {
  readonly type?: string | null | undefined;
  readonly kind?: Kind | null | undefined;
  readonly from?: string | null | undefined;
  readonly to?: string | null | undefined;
}) {
  const { type, kind, from, to } = args;
  return {
    type: type ?? undefined,
    kind: kind ?? undefined,
    from: from ?? undefined,
    to: to ?? undefined,
  };
}

@Resolver(() => TelemetryEvent)
export class TelemetryResolver {
  constructor(private readonly queries: QueryBus) {}

  @Query(() => TelemetryEventConnection, { description: 'Events in the telemetry store, newest first.' })
  @Needs('telemetry:read')
  async telemetryEvents(
    @CallerOf() caller: Caller,
    @Args() args: TelemetryEventsArgs,
  ): Promise<TelemetryEventConnection> {
    const input = { ...pageInputOf(args), ...filtersOf(args), user: args.user ?? undefined };
    return toConnection(await this.queries.execute(new TelemetryEvents(caller, input)));
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
    const { kind, from, to } = filtersOf(args);
    return (await this.queries.execute(new TelemetrySeries(caller, { event, interval, kind, from, to })))
      .data;
  }
}
