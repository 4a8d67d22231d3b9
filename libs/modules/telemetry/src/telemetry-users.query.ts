import { type TelemetryStatement, TelemetryStore } from '@holdfast/clickhouse';
import { TenantQuery } from '@holdfast/cqrs';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { eventKindSchema, eventTypeSchema } from './telemetry-event-view';
import {
  daysWithin,
  INTERVALS,
  nothingRolledUp,
  rolledUpWithin,
  rowsRange,
  seriesRange,
} from './telemetry-range';
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

interface UsersRow {
  readonly point: string;
  readonly whole: number;
  readonly users: string;
}

// Users of a range, from the sets of the roll-ups and from the rows beside them: a user who is in both is one. Which sets: 1 of all events,
// 2 of a kind, 0 of a name and kind.

const BY_DAYS: TelemetryStatement<UsersRow> = {
  text: `select point, toUInt8(grouping(point)) as whole, uniqExactMerge(state) as users
    from (
      select toDateTime(intDiv(toUnixTimestamp(begins), {step:UInt32}) * {step:UInt32}, 'UTC') as point, users as state
      from telemetry.tenant_user_sets(tenant_id = {tenant_id:UUID})
      where is_total = multiIf({event:String} != '', 0, {kind:String} != '', 2, 1)
        and ({event:String} = '' or name = {event:String})
        and ({kind:String} = '' or kind = {kind:String})
        and (span = 'day' and begins >= parseDateTimeBestEffort({days_from:String}, 'UTC')
          and begins < parseDateTimeBestEffort({days_to:String}, 'UTC')
        or span = 'hour' and begins >= parseDateTimeBestEffort({rolled_from:String}, 'UTC')
        and begins < parseDateTimeBestEffort({rolled_to:String}, 'UTC')
          and (begins < parseDateTimeBestEffort({days_from:String}, 'UTC') or begins >= parseDateTimeBestEffort({days_to:String}, 'UTC')))
      union all
      select toDateTime(intDiv(toUnixTimestamp(at), {step:UInt32}) * {step:UInt32}, 'UTC') as point, uniqExactStateIf(user_hash, user_hash != 0) as state
      from telemetry.tenant_rest(tenant_id = {tenant_id:UUID}, from = {from:String}, to = {to:String}, rolled_from = {rolled_from:String}, rolled_to = {rolled_to:String}, is_long = {is_long:UInt8})
      where ({event:String} = '' or name = {event:String})
        and ({kind:String} = '' or kind = {kind:String})
      group by point
    )
    group by grouping sets ((point), ())
    order by whole, point
    limit 2000`,
};

// An hour is either rolled up or read from rows, so its users are a number that is there. A name that has several kinds in an hour has a
// set of all of them beside those of each, 3, which is the largest.
const BY_HOURS: TelemetryStatement<UsersRow> = {
  text: `select toDateTime(point, 'UTC') as point, toUInt8(0) as whole, max(counted) as users
    from (
      select toUnixTimestamp(begins) as point, user_count as counted
      from telemetry.tenant_user_sets(tenant_id = {tenant_id:UUID})
      where (is_total = multiIf({event:String} != '', 0, {kind:String} != '', 2, 1)
          or is_total = 3 and {event:String} != '' and {kind:String} = '')
        and ({event:String} = '' or name = {event:String})
        and ({kind:String} = '' or kind = {kind:String})
        and span = 'hour' and begins >= parseDateTimeBestEffort({rolled_from:String}, 'UTC')
        and begins < parseDateTimeBestEffort({rolled_to:String}, 'UTC')
      union all
      select toUnixTimestamp(toStartOfHour(at)) as point, uniqExactIf(user_hash, user_hash != 0) as counted
      from telemetry.tenant_rest(tenant_id = {tenant_id:UUID}, from = {from:String}, to = {to:String}, rolled_from = {rolled_from:String}, rolled_to = {rolled_to:String}, is_long = {is_long:UInt8})
      where ({event:String} = '' or name = {event:String})
        and ({kind:String} = '' or kind = {kind:String})
      group by point
    )
    group by point
    order by point
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
        ? nothingRolledUp(range)
        : await rolledUpWithin(this.store, caller.tenantId, range);
    const parameters = { ...range, ...rolledUp, ...daysWithin(rolledUp), event, kind, step };
    const byDays = await this.store.read(caller, BY_DAYS, parameters);
    // A point of an hour is in no day; the whole is.
    const rows =
      interval === 'hour'
        ? [
            ...(await this.store.read(caller, BY_HOURS, parameters)),
            ...byDays.filter(({ whole }) => whole !== 0),
          ]
        : byDays;
    const points = rows.filter(({ whole, users }) => whole === 0 && users !== '0');
    return {
      users: Number(rows.find(({ whole }) => whole !== 0)?.users ?? 0),
      data: points.map(({ point, users }) => ({ at: point, users: Number(users) })),
    };
  }
}
