import type { Caller } from '@holdfast/kernel';
import { CallerOf, dto, Needs, represent } from '@holdfast/http';
import { QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { ingestCountView } from './ingest-counts';
import {
  funnelSteps,
  TelemetryFunnel,
  telemetryFunnelInput,
  telemetryFunnelStepView,
} from './telemetry-funnel.query';
import {
  badRowView,
  TelemetryIngest,
  telemetryIngestAnswer,
  telemetryIngestInput,
} from './telemetry-ingest.query';
import { TelemetryTop, telemetryTopInput, telemetryTopView } from './telemetry-top.query';
import {
  TelemetryUsers,
  telemetryUsersAnswer,
  telemetryUsersInput,
  telemetryUsersPointView,
} from './telemetry-users.query';

@ObjectType({ description: 'A value and how many events have it.' })
export class TelemetryTopValue extends dto(telemetryTopView, 'output') {}

@ObjectType({ description: 'Users in the interval that begins at `at`.' })
export class TelemetryUsersPoint extends dto(telemetryUsersPointView, 'output') {}

represent(telemetryUsersPointView, 'output', () => TelemetryUsersPoint);

@ObjectType({ description: 'Users over the range, each counted once, and per interval.' })
export class TelemetryUserCounts extends dto(telemetryUsersAnswer, 'output') {}

@ObjectType({ description: 'How many users have come to a step, by way of all before it.' })
export class TelemetryFunnelStep extends dto(telemetryFunnelStepView, 'output') {}

@ObjectType({ description: 'What became of so many events, in one place.' })
export class TelemetryIngestCount extends dto(ingestCountView, 'output') {}

represent(ingestCountView, 'output', () => TelemetryIngestCount);

@ObjectType({ description: 'A sample of what was refused.' })
export class TelemetryBadRow extends dto(badRowView, 'output') {}

represent(badRowView, 'output', () => TelemetryBadRow);

@ObjectType({ description: 'What became of the events that the tenant sent.' })
export class TelemetryIngestAccounting extends dto(telemetryIngestAnswer, 'output') {}

// A GraphQL client may send null for what it leaves out, and knows lists and whole numbers.
const top = telemetryTopInput.shape;
const nullableRange = { from: top.from.nullable(), to: top.to.nullable() };

@ArgsType()
export class TelemetryTopArgs extends dto(
  telemetryTopInput.extend({
    ...nullableRange,
    event: top.event.nullable(),
    kind: top.kind.nullable(),
    limit: z.int().min(1).max(100).default(10),
  }),
  'args',
) {}

@ArgsType()
export class TelemetryUsersArgs extends dto(
  telemetryUsersInput.extend({
    ...nullableRange,
    event: top.event.nullable(),
    kind: telemetryUsersInput.shape.kind.nullable(),
  }),
  'args',
) {}

@ArgsType()
export class TelemetryFunnelArgs extends dto(
  telemetryFunnelInput.extend({
    ...nullableRange,
    steps: funnelSteps.meta({ examples: [['Signed up', 'Ordered']] }),
    windowSeconds: z
      .int()
      .min(1)
      .max(30 * 86_400)
      .default(86_400),
  }),
  'args',
) {}

@ArgsType()
export class TelemetryIngestArgs extends dto(telemetryIngestInput.extend(nullableRange), 'args') {}

@Resolver()
export class TelemetryFiguresResolver {
  constructor(private readonly queries: QueryBus) {}

  @Query(() => [TelemetryTopValue], { description: 'The most frequent values of a column or property.' })
  @Needs('telemetry:read')
  async telemetryTop(
    @CallerOf() caller: Caller,
    @Args() args: TelemetryTopArgs,
  ): Promise<TelemetryTopValue[]> {
    const filters = { event: args.event ?? undefined, kind: args.kind ?? undefined, ...rangeOf(args) };
    const input = { by: args.by, limit: args.limit, ...filters };
    return (await this.queries.execute(new TelemetryTop(caller, input))).data;
  }

  @Query(() => TelemetryUserCounts, { description: 'Unique users over the range and per interval.' })
  @Needs('telemetry:read')
  telemetryUsers(@CallerOf() caller: Caller, @Args() args: TelemetryUsersArgs): Promise<TelemetryUserCounts> {
    const filters = { event: args.event ?? undefined, kind: args.kind ?? undefined, ...rangeOf(args) };
    return this.queries.execute(new TelemetryUsers(caller, { interval: args.interval, ...filters }));
  }

  @Query(() => [TelemetryFunnelStep], {
    description: 'How many users do one event after another within a time.',
  })
  @Needs('telemetry:read')
  async telemetryFunnel(
    @CallerOf() caller: Caller,
    @Args() args: TelemetryFunnelArgs,
  ): Promise<TelemetryFunnelStep[]> {
    const { steps, windowSeconds } = args;
    const input = { steps, windowSeconds, ...rangeOf(args) };
    return (await this.queries.execute(new TelemetryFunnel(caller, input))).data;
  }

  @Query(() => TelemetryIngestAccounting, {
    description: 'What became of the events that were sent, and samples of what was refused.',
  })
  @Needs('telemetry:read')
  telemetryIngest(
    @CallerOf() caller: Caller,
    @Args() args: TelemetryIngestArgs,
  ): Promise<TelemetryIngestAccounting> {
    return this.queries.execute(new TelemetryIngest(caller, rangeOf(args)));
  }
}

function rangeOf({
  from,
  to,
}: {
  readonly from?: string | null | undefined;
  readonly to?: string | null | undefined;
}) {
  return { from: from ?? undefined, to: to ?? undefined };
}
