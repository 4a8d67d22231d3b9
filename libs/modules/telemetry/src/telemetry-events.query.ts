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
// Copies stand together where they say the same time; those that do not are told apart by COUNTED.
const LIST: TelemetryStatement<TelemetryEventRow> = {
  text: `select id, kind, type, at, made_at, stream_type, stream_id, stream_version, user_id, anonymous_id, group_id, actor, act,
      request_id, traceparent, properties, context
    from (
      select message_id as id, toString(kind) as kind, toString(name) as type, toDateTime64(t.at, 6, 'UTC') as at, made_at,
        '' as stream_type, '' as stream_id, toUInt64(0) as stream_version, user_id, anonymous_id, group_id,
        if(user_id = '', anonymous_id, user_id) as actor, null as act, '' as request_id, null as traceparent, properties, context
      from telemetry.tenant_tracked_copies(tenant_id = {tenant_id:UUID}) as t
      where ({type:String} = '' or t.name = {type:String})
        and ({kind:String} = '' or t.kind = {kind:String})
        and ({user:String} = '' or t.user_id = {user:String} or t.anonymous_id = {user:String})
        and t.at >= parseDateTime64BestEffort({from:String}, 6, 'UTC')
        and t.at < parseDateTime64BestEffort({to:String}, 6, 'UTC')
        and t.at <= parseDateTime64BestEffort({before_at:String}, 6, 'UTC')
        and (t.at, t.message_id, t.made_at) < (parseDateTime64BestEffort({before_at:String}, 6, 'UTC'), {before_id:String}, {before_made_at:Int64})
      order by t.at desc, t.message_id desc, t.made_at desc, t.precedence desc
      limit 1 by t.at, t.message_id, t.made_at, t.name
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

// Of copies the one that was received first counts, whatever is asked for. They have the whole key in common, so these are a few
// granules of it.
const COUNTED: TelemetryStatement<{
  readonly id: string;
  readonly name: string;
  readonly made_at: string;
  readonly first: string;
}> = {
  text: `select message_id as id, toString(name) as name, made_at, toString(toUnixTimestamp64Milli(argMax(at, precedence))) as first
    from telemetry.tenant_tracked_copies(tenant_id = {tenant_id:UUID})
    where (intDiv(made_at, 86400000), name, made_at, message_fingerprint) in (
      select intDiv(event.1, 86400000), event.2, event.1, reinterpretAsUInt128(sipHash128(event.3))
      from (select arrayJoin(JSONExtract({events:String}, 'Array(Tuple(Int64, String, String))')) as event))
    group by message_id, name, made_at
    limit 1000`,
};

/** Ends of the range that a DateTime64 holds: what an absent bound means. */
const EVER = { from: '1970-01-01T00:00:00Z', to: '2200-01-01T00:00:00Z' } as const;

/**
 * A page is looked for in the last hour before the whole range: one of a tenant with millions of events is there. What has been found says
 * how far back to look next, twice as far as would do if it went on like that, and a day for an hour without any.
 */
const LOOK_BACK_MS = 3_600_000;
const FARTHER_MAX = 24;
/** Looks before the whole range is read, each of which is a statement. */
const LOOKS_MAX = 3;
/** Rounds of looking for a page where copies are left out; after so many of them they are shown. */
const ROUNDS_MAX = 10;
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
  const [beforeAt, beforeId, beforeMadeAt] = cursors.decode(caller, input.after) ?? [EVER.to, '', '0'];
  const asked = {
    type: input.type ?? '',
    kind: input.kind ?? '',
    user: input.user ?? '',
    from: input.from ?? EVER.from,
    to: input.to ?? EVER.to,
    limit: input.limit + 1,
  };
  const rows: TelemetryEventRow[] = [];
  let place: Place = { before_at: beforeAt, before_id: beforeId, before_made_at: beforeMadeAt };
  for (let round = 1; rows.length <= input.limit; round += 1) {
    const found = await newestRows(store, caller.tenantId, { ...asked, ...place });
    rows.push(...(round < ROUNDS_MAX ? await withoutLaterCopies(store, caller.tenantId, found) : found));
    const last = found.at(-1);
    if (!last || found.length <= input.limit) break;
    place = { before_at: last.at, before_id: last.id, before_made_at: last.made_at };
  }
  return page(
    rows.slice(0, input.limit + 1),
    input.limit,
    showTelemetryEvent,
    ({ at, id, made_at: madeAt }) => cursors.encode(caller, [at, id, madeAt]),
  );
}

/** What the list goes on after. */
interface Place {
  readonly before_at: string;
  readonly before_id: string;
  readonly before_made_at: string;
}

interface Asked extends Place {
  readonly from: string;
  readonly to: string;
  readonly limit: number;
  readonly [filter: string]: unknown;
}

/** One more than the page has, if there are as many. */
async function newestRows(
  store: TelemetryStore,
  tenantId: string,
  asked: Asked,
): Promise<TelemetryEventRow[]> {
  const { from, to, before_at: beforeAt, limit } = asked;
  const endMs = Math.min(Date.parse(to), Date.parse(beforeAt), Date.now() + AHEAD_MS);
  let backMs = LOOK_BACK_MS;
  for (let look = 0; look < LOOKS_MAX && endMs - backMs > Date.parse(from); look += 1) {
    const beginning = new Date(endMs - backMs).toISOString();
    const rows = await store.read(tenantId, LIST, { ...asked, from: beginning });
    if (rows.length >= limit) return rows;
    backMs *= Math.min(Math.ceil((2 * limit) / Math.max(rows.length, 1)), FARTHER_MAX);
  }
  return store.read(tenantId, LIST, asked);
}

/** Leaves out what is a copy of an event that says another time and was received earlier: that one is in its own place. */
async function withoutLaterCopies(
  store: TelemetryStore,
  tenantId: string,
  rows: readonly TelemetryEventRow[],
): Promise<readonly TelemetryEventRow[]> {
  const tracked = rows.filter((row) => row.kind !== 'domain');
  if (tracked.length === 0) return rows;
  const events = JSON.stringify(tracked.map((row) => [Number(row.made_at), row.type, row.id]));
  const counted = await store.read(tenantId, COUNTED, { events });
  const keyOf = (madeAt: string, name: string, id: string): string => JSON.stringify([madeAt, name, id]);
  const first = new Map(counted.map((each) => [keyOf(each.made_at, each.name, each.id), Number(each.first)]));
  return rows.filter((row) => {
    const firstMs = first.get(keyOf(row.made_at, row.type, row.id));
    return row.kind === 'domain' || firstMs === undefined || firstMs === Date.parse(row.at);
  });
}
