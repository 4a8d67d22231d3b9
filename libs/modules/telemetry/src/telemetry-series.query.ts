import { instantSchema } from '@holdfast/kernel';
import { type TelemetryStatement, TelemetryStore } from '@holdfast/clickhouse';
import { TenantQuery } from '@holdfast/cqrs';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { eventTypeSchema } from './telemetry-event-view';
import { RangeInverted, RangeTooLong } from './telemetry.errors';

/** Intervals in seconds, and how far back a series goes that names no beginning. */
const INTERVALS = {
  minute: { seconds: 60, points: 60 },
  hour: { seconds: 3_600, points: 24 },
  day: { seconds: 86_400, points: 30 },
} as const;

/** A day of minutes, two months of hours, four years of days. */
const POINTS_MAX = 1_500;

/** What to count, by which interval, over which range. */
export const telemetrySeriesInput = z.strictObject({
  event: eventTypeSchema.meta({ description: 'The type of the events to count.' }),
  interval: z
    .enum(['minute', 'hour', 'day'])
    .default('hour')
    .meta({ description: 'Length of a point, in UTC.' }),
  from: instantSchema
    .optional()
    .meta({ description: 'Beginning; absent: an hour of minutes, a day of hours, 30 days.' }),
  to: instantSchema
    .optional()
    .meta({ description: 'End, not included; absent: the end of the current interval.' }),
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
  text: `select toDateTime(intDiv(toUnixTimestamp(at), {step:UInt32}) * {step:UInt32}, 'UTC') as point, count() as events
    from telemetry.tenant_events(tenant_id = {tenant_id:UUID})
    where type = {type:String}
      and at >= parseDateTime64BestEffort({from:String}, 6, 'UTC')
      and at < parseDateTime64BestEffort({to:String}, 6, 'UTC')
    group by point
    order by point
    limit 2000`,
};

@QueryHandler(TelemetrySeries)
export class TelemetrySeriesHandler implements IQueryHandler<TelemetrySeries> {
  constructor(private readonly store: TelemetryStore) {}

  async execute({ caller, input }: TelemetrySeries): Promise<{ data: TelemetryPoint[] }> {
    const step = INTERVALS[input.interval].seconds;
    const range = seriesRange(input, Date.now());
    const rows = await this.store.read(caller.tenantId, COUNT, { ...range, type: input.event, step });
    return { data: rows.map(({ point, events }) => ({ at: point, count: Number(events) })) };
  }
}

type Bounds = Pick<z.output<typeof telemetrySeriesInput>, 'interval' | 'from' | 'to'>;

/** The range of a series. Throws RangeInverted, and RangeTooLong rather than cutting a series short unseen. */
export function seriesRange(
  { interval, from, to }: Bounds,
  nowMs: number,
): { readonly from: string; readonly to: string } {
  const { seconds, points } = INTERVALS[interval];
  const stepMs = seconds * 1_000;
  const endMs = to === undefined ? (Math.floor(nowMs / stepMs) + 1) * stepMs : Date.parse(to);
  const startMs = from === undefined ? endMs - points * stepMs : Date.parse(from);
  if (startMs > endMs) throw new RangeInverted();
  if (endMs - startMs > POINTS_MAX * stepMs) throw new RangeTooLong(POINTS_MAX);
  return { from: from ?? new Date(startMs).toISOString(), to: to ?? new Date(endMs).toISOString() };
}
