import { instantSchema } from '@holdfast/kernel';
import { type TelemetryStatement, TelemetryStore } from '@holdfast/clickhouse';
import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import {
  eventTypeSchema,
  showTelemetryEvent,
  type TelemetryEventRow,
  type TelemetryEventView,
} from './telemetry-event-view';

/** Which events to list: of one type, from an instant on, before another. */
export const telemetryEventsInput = z.strictObject({
  type: eventTypeSchema.optional().meta({ description: 'Only events of this type.' }),
  from: instantSchema.optional().meta({ description: 'Only events at or after this instant.' }),
  to: instantSchema.optional().meta({ description: 'Only events before this instant.' }),
  ...pageInput,
});

/** The tenant's events in the telemetry store, newest first. */
export class TelemetryEvents extends TenantQuery<
  z.output<typeof telemetryEventsInput>,
  Page<TelemetryEventView>
> {
  readonly scope = 'telemetry:read';
}

// The condition on `at` alone says nothing that the pair does not; it is what the primary index understands.
const LIST: TelemetryStatement<TelemetryEventRow> = {
  text: `select id, type, at, stream_type, stream_id, stream_version, actor, act, request_id, traceparent, data
    from telemetry.tenant_events(tenant_id = {tenant_id:UUID})
    where ({type:Nullable(String)} is null or type = {type:Nullable(String)})
      and at >= parseDateTime64BestEffort({from:String}, 6, 'UTC')
      and at < parseDateTime64BestEffort({to:String}, 6, 'UTC')
      and at <= parseDateTime64BestEffort({before_at:String}, 6, 'UTC')
      and (at, id) < (parseDateTime64BestEffort({before_at:String}, 6, 'UTC'), {before_id:UUID})
    order by at desc, id desc
    limit {limit:UInt16}`,
};

/** Ends of the range that a DateTime64 holds: what an absent bound means. */
const EVER = {
  from: '1970-01-01T00:00:00Z',
  to: '2200-01-01T00:00:00Z',
  id: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
} as const;

/** Instant and id of the last event shown: ids make a total order of those that share a microsecond. */
const cursors = new Cursors('telemetry.events', z.tuple([instantSchema, z.guid()]));

@QueryHandler(TelemetryEvents)
export class TelemetryEventsHandler implements IQueryHandler<TelemetryEvents> {
  constructor(private readonly store: TelemetryStore) {}

  async execute({ caller, input }: TelemetryEvents): Promise<Page<TelemetryEventView>> {
    const [beforeAt, beforeId] = cursors.decode(caller, input.after) ?? [EVER.to, EVER.id];
    const rows = await this.store.read(caller.tenantId, LIST, {
      type: input.type ?? null,
      from: input.from ?? EVER.from,
      to: input.to ?? EVER.to,
      before_at: beforeAt,
      before_id: beforeId,
      limit: input.limit + 1,
    });
    return page(rows, input.limit, showTelemetryEvent, ({ at, id }) => cursors.encode(caller, [at, id]));
  }
}
