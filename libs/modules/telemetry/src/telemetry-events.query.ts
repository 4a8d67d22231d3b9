import { type Caller, instantSchema } from '@holdfast/kernel';
import { type TelemetryStatement, TelemetryStore } from '@holdfast/clickhouse';
import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import {
  eventKindSchema,
  eventTypeSchema,
  showTelemetryEvent,
  type TelemetryEventRow,
  type TelemetryEventView,
  userIdSchema,
} from './telemetry-event-view';

const range = {
  from: instantSchema.optional().meta({ description: 'Only events at or after this instant.' }),
  to: instantSchema.optional().meta({ description: 'Only events before this instant.' }),
};
const type = eventTypeSchema.optional().meta({ description: 'Only events of this type or name.' });
const kind = eventKindSchema.optional().meta({ description: 'Only domain events, or those of one call.' });

/** Which events to list: of one type, kind or user, from an instant on, before another. */
export const telemetryEventsInput = z.strictObject({
  type,
  kind,
  user: userIdSchema.optional(),
  ...range,
  ...pageInput,
});

type Filters = z.output<typeof telemetryEventsInput>;

/** The tenant's events in the telemetry store, newest first: what Holdfast announced and what the tenant's software tracked. */
export class TelemetryEvents extends TenantQuery<Filters, Page<TelemetryEventView>> {
  readonly scope = 'telemetry:read';
}

// An empty filter is none. Each source is cut to the page before both are sorted together, so that no more than two pages are held.
// The conditions on `at` alone say nothing that the tuples do not; they are what the indexes understand.
const LIST: TelemetryStatement<TelemetryEventRow> = {
  isLoose: true,
  text: `select id, kind, type, at, made_at, stream_type, stream_id, stream_version, user_id, anonymous_id, group_id, actor, act,
      request_id, traceparent, properties, context
    from (
      select message_id as id, toString(kind) as kind, toString(name) as type, toDateTime64(t.at, 6, 'UTC') as at, made_at,
        '' as stream_type, '' as stream_id, toUInt64(0) as stream_version, user_id, anonymous_id, group_id,
        if(user_id = '', anonymous_id, user_id) as actor, null as act, '' as request_id, null as traceparent, properties, context
      from telemetry.tenant_tracked(tenant_id = {tenant_id:UUID}) as t
      where ({type:String} = '' or t.name = {type:String})
        and ({kind:String} = '' or t.kind = {kind:String})
        and ({user:String} = '' or t.user_id = {user:String} or t.anonymous_id = {user:String})
        and t.at >= parseDateTime64BestEffort({from:String}, 6, 'UTC')
        and t.at < parseDateTime64BestEffort({to:String}, 6, 'UTC')
        and t.at <= parseDateTime64BestEffort({before_at:String}, 6, 'UTC')
        and (t.at, t.message_id, t.made_at) < (parseDateTime64BestEffort({before_at:String}, 6, 'UTC'), {before_id:String}, {before_made_at:Int64})
      order by t.at desc, t.message_id desc, t.made_at desc
      limit {limit:UInt16}
      union all
      select toString(e.id) as id, 'domain' as kind, toString(e.type) as type, e.at as at, toInt64(0) as made_at,
        toString(e.stream_type) as stream_type, toString(e.stream_id) as stream_id, e.stream_version as stream_version,
        if(startsWith(e.actor, 'member:'), substring(e.actor, 8), '') as user_id, '' as anonymous_id, '' as group_id,
        e.actor as actor, e.act as act, e.request_id as request_id, e.traceparent as traceparent, e.data as properties, '' as context
      from telemetry.tenant_events(tenant_id = {tenant_id:UUID}) as e
      where ({type:String} = '' or e.type = {type:String})
        and ({kind:String} = '' or {kind:String} = 'domain')
        and ({user:String} = '' or e.actor = concat('member:', {user:String}))
        and e.at >= parseDateTime64BestEffort({from:String}, 6, 'UTC')
        and e.at < parseDateTime64BestEffort({to:String}, 6, 'UTC')
        and e.at <= parseDateTime64BestEffort({before_at:String}, 6, 'UTC')
        and (e.at, toString(e.id), toInt64(0)) < (parseDateTime64BestEffort({before_at:String}, 6, 'UTC'), {before_id:String}, {before_made_at:Int64})
      order by e.at desc, toString(e.id) desc
      limit {limit:UInt16}
    )
    order by at desc, id desc, made_at desc
    limit {limit:UInt16}`,
};

/** Ends of the range that a DateTime64 holds: what an absent bound means. */
const EVER = { from: '1970-01-01T00:00:00Z', to: '2200-01-01T00:00:00Z' } as const;

/**
 * How far back a page is looked for, in turn, before the whole range: a page of a tenant with millions of events is in its last hour,
 * and one that is not costs a few milliseconds more.
 */
const LOOK_BACK_MS = [3_600_000, 7 * 86_400_000];
/** Events may say that they happen up to an hour from now. */
const AHEAD_MS = 3_600_000;

/** Instant, id and time of making of the last event shown: together they are one of each event. */
const cursors = new Cursors(
  'telemetry.events',
  z.tuple([instantSchema, z.string().max(200), z.string().regex(/^-?\d{1,19}$/)]),
);

@QueryHandler(TelemetryEvents)
export class TelemetryEventsHandler implements IQueryHandler<TelemetryEvents> {
  constructor(private readonly store: TelemetryStore) {}

  execute({ caller, input }: TelemetryEvents): Promise<Page<TelemetryEventView>> {
    return listTelemetryEvents(this.store, caller, input);
  }
}

/** A page of both sources. */
async function listTelemetryEvents(
  store: TelemetryStore,
  caller: Caller,
  input: Filters,
): Promise<Page<TelemetryEventView>> {
  const from = input.from ?? EVER.from;
  const [beforeAt, beforeId, beforeMadeAt] = cursors.decode(caller, input.after) ?? [EVER.to, '', '0'];
  const parameters = {
    type: input.type ?? '',
    kind: input.kind ?? '',
    user: input.user ?? '',
    to: input.to ?? EVER.to,
    before_at: beforeAt,
    before_id: beforeId,
    before_made_at: beforeMadeAt,
    limit: input.limit + 1,
  };
  const endMs = Math.min(Date.parse(parameters.to), Date.parse(beforeAt), Date.now() + AHEAD_MS);
  const beginnings = LOOK_BACK_MS.map((ms) => endMs - ms).filter((ms) => ms > Date.parse(from));
  let rows: TelemetryEventRow[] = [];
  for (const beginning of [...beginnings.map((ms) => new Date(ms).toISOString()), from]) {
    rows = await store.read(caller.tenantId, LIST, { ...parameters, from: beginning });
    if (rows.length > input.limit) break;
  }
  return page(rows, input.limit, showTelemetryEvent, ({ at, id, made_at: madeAt }) =>
    cursors.encode(caller, [at, id, madeAt]),
  );
}
