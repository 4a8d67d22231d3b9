import { type TelemetryStatement, TelemetryStore } from '@holdfast/clickhouse';
import { TenantQuery } from '@holdfast/cqrs';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { eventKindSchema, eventTypeSchema } from './telemetry-event-view';
import { INTERVALS, rolledUpWithin, rowsRange, seriesRange } from './telemetry-range';
import { seriesBounds } from './telemetry-series.query';

/** Whose users to count, by which interval, over which range. */
export const telemetryUsersInput = z.strictObject({
  event: eventTypeSchema.optional().meta({ description: 'Only users of events of this name.' }),
  kind: eventKindSchema.exclude(['domain']).optional().meta({ description: 'Only users of one call.' }),
  ...seriesBounds,
});

/** Users in the interval that begins at `at`. */
export const telemetryUsersPointView = z.object({
  at: z.string().meta({ description: 'RFC 3339, UTC.' }),
  users: z.int(),
});

/** Users over the range, each counted once, and per interval, oldest first. */
export const telemetryUsersAnswer = z.object({ users: z.int(), data: z.array(telemetryUsersPointView) });

/** Users over the range and per interval. */
export type TelemetryUsersView = z.output<typeof telemetryUsersAnswer>;

/**
 * How many users tracked events have, over the range and per interval, exactly. A user is a user id, or an anonymous id where there is
 * none. Intervals without users have no point.
 */
export class TelemetryUsers extends TenantQuery<z.output<typeof telemetryUsersInput>, TelemetryUsersView> {
  readonly scope = 'telemetry:read';
}

// States of roll-ups and of rows are merged, so a user who is in both is one.
const UNIQUE: TelemetryStatement<{
  readonly point: string;
  readonly whole: number;
  readonly users: string;
}> = {
  text: `select point, toUInt8(grouping(point)) as whole, uniqExactMerge(state) as users
    from (
      select toDateTime(intDiv(toUnixTimestamp(hour), {step:UInt32}) * {step:UInt32}, 'UTC') as point, users as state
      from telemetry.tenant_hours(tenant_id = {tenant_id:UUID})
      where ({event:String} = '' or name = {event:String})
        and ({kind:String} = '' or kind = {kind:String})
        and hour >= parseDateTimeBestEffort({rolled_from:String}, 'UTC')
        and hour < parseDateTimeBestEffort({rolled_to:String}, 'UTC')
      union all
      select toDateTime(intDiv(toUnixTimestamp(at), {step:UInt32}) * {step:UInt32}, 'UTC') as point, uniqExactState(nullIf(distinct_id, '')) as state
      from telemetry.tenant_tracked(tenant_id = {tenant_id:UUID})
      where ({event:String} = '' or name = {event:String})
        and ({kind:String} = '' or kind = {kind:String})
        and at >= parseDateTime64BestEffort({from:String}, 6, 'UTC')
        and at < parseDateTime64BestEffort({to:String}, 6, 'UTC')
        and (at < parseDateTime64BestEffort({rolled_from:String}, 6, 'UTC') or at >= parseDateTime64BestEffort({rolled_to:String}, 6, 'UTC'))
      group by point
    )
    group by grouping sets ((point), ())
    order by whole, point
    limit 2000`,
};

@QueryHandler(TelemetryUsers)
export class TelemetryUsersHandler implements IQueryHandler<TelemetryUsers> {
  constructor(private readonly store: TelemetryStore) {}

  async execute({ caller, input }: TelemetryUsers): Promise<TelemetryUsersView> {
    const { event = '', kind = '', interval } = input;
    const step = INTERVALS[interval].seconds;
    // Sets of users are merged, which costs as much as reading rows.
    const range = rowsRange(seriesRange(input, Date.now()), Date.now());
    const rolledUp =
      interval === 'minute'
        ? { rolled_from: range.from, rolled_to: range.from }
        : await rolledUpWithin(this.store, caller.tenantId, range);
    const rows = await this.store.read(caller.tenantId, UNIQUE, { ...range, ...rolledUp, event, kind, step });
    const points = rows.filter(({ whole, users }) => whole === 0 && users !== '0');
    return {
      users: Number(rows.find(({ whole }) => whole !== 0)?.users ?? 0),
      data: points.map(({ point, users }) => ({ at: point, users: Number(users) })),
    };
  }
}
