import { type TelemetryStatement, TelemetryStore } from '@holdfast/clickhouse';
import { instantSchema } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { eventKindSchema, eventTypeSchema } from './telemetry-event-view';
import { INTERVALS, intervalSchema, nothingRolledUp, rolledUpWithin, seriesRange } from './telemetry-range';

/** By which interval to count, over which range. */
export const seriesBounds = {
  interval: intervalSchema.default('hour').meta({ description: 'Length of a point, in UTC.' }),
  from: instantSchema
    .optional()
    .meta({ description: 'Beginning; absent: an hour of minutes, a day of hours, 30 days.' }),
  to: instantSchema
    .optional()
    .meta({ description: 'End, not included; absent: the end of the current interval.' }),
};

/** What to count, by which interval, over which range. */
export const telemetrySeriesInput = z.strictObject({
  event: eventTypeSchema.meta({ description: 'The type, or the name, of the events to count.' }),
  kind: eventKindSchema.optional().meta({ description: 'Only domain events, or those of one call.' }),
  ...seriesBounds,
});

/** Events in the interval that begins at `at`. */
export const telemetryPointView = z.object({
  at: z.string().meta({ description: 'RFC 3339, UTC.' }),
  count: z.int(),
});

/** A point of a series. */
export type TelemetryPoint = z.output<typeof telemetryPointView>;

/** A series, oldest point first. */
export const telemetrySeriesAnswer = z.object({ data: z.array(telemetryPointView) });

/** How often an event happened per interval. Intervals without events have no point. */
export class TelemetrySeries extends TenantQuery<
  z.output<typeof telemetrySeriesInput>,
  { data: TelemetryPoint[] }
> {
  readonly scope = 'telemetry:read';
}

// Every interval divides a UTC day, and the epoch begins one, so whole steps of the epoch are whole intervals.
const COUNT: TelemetryStatement<{ readonly point: string; readonly events: string }> = {
  text: `select toDateTime(intDiv(second, {step:UInt32}) * {step:UInt32}, 'UTC') as point, sum(counted) as events
    from (
      select toUnixTimestamp(hour) as second, sum(events) as counted
      from telemetry.tenant_hours(tenant_id = {tenant_id:UUID})
      where name = {event:String}
        and ({kind:String} = '' or kind = {kind:String})
        and hour >= parseDateTimeBestEffort({rolled_from:String}, 'UTC')
        and hour < parseDateTimeBestEffort({rolled_to:String}, 'UTC')
      group by second
      union all
      select intDiv(toUnixTimestamp(at), {step:UInt32}) * {step:UInt32} as second, count() as counted
      from telemetry.tenant_rest(tenant_id = {tenant_id:UUID}, from = {from:String}, to = {to:String}, rolled_from = {rolled_from:String}, rolled_to = {rolled_to:String}, is_long = {is_long:UInt8})
      where name = {event:String}
        and ({kind:String} = '' or kind = {kind:String})
      group by second
      union all
      select intDiv(toUnixTimestamp(at), {step:UInt32}) * {step:UInt32} as second, count() as counted
      from telemetry.tenant_events(tenant_id = {tenant_id:UUID})
      where type = {event:String}
        and ({kind:String} = '' or {kind:String} = 'domain')
        and at >= parseDateTime64BestEffort({from:String}, 6, 'UTC')
        and at < parseDateTime64BestEffort({to:String}, 6, 'UTC')
      group by second
    )
    group by point
    order by point
    limit 2000`,
};

@QueryHandler(TelemetrySeries)
export class TelemetrySeriesHandler implements IQueryHandler<TelemetrySeries> {
  constructor(private readonly store: TelemetryStore) {}

  async execute({ caller, input }: TelemetrySeries): Promise<{ data: TelemetryPoint[] }> {
    const { event, kind = '', interval } = input;
    const step = INTERVALS[interval].seconds;
    const range = seriesRange(input, Date.now());
    // A minute is not a whole hour: none is read from roll-ups.
    const rolledUp =
      interval === 'minute'
        ? nothingRolledUp(range)
        : await rolledUpWithin(this.store, caller.tenantId, range);
    const rows = await this.store.read(caller, COUNT, { ...range, ...rolledUp, event, kind, step });
    return { data: rows.map(({ point, events }) => ({ at: point, count: Number(events) })) };
  }
}
