import type { TelemetryMigration } from './telemetry-migration';

const SPAN = `now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16}`;

const OF_SPAN = `telemetry.span_hours(${SPAN})`;

const SPAN_TRACKED = `create or replace view telemetry.span_tracked as
   select tenant_id, toStartOfHour(at) as hour, made_at, name, kind, user_id, user_hash, group_id, keep_days, properties, context
   from telemetry.tracked final
   where at >= toDateTime64({from:UInt32}, 3, 'UTC') and at < toDateTime64({to:UInt32}, 3, 'UTC')
     and (tenant_id, toStartOfHour(at)) in (select tenant_id, hour from ${OF_SPAN})
     and (tenant_id, intDiv(made_at, 86400000)) in (
       select distinct tenant_id, intDiv(made_at, 86400000) from telemetry.tracked
       where at >= toDateTime64({from:UInt32}, 3, 'UTC') and at < toDateTime64({to:UInt32}, 3, 'UTC')
         and (tenant_id, toStartOfHour(at)) in (select tenant_id, hour from ${OF_SPAN}))`;

// Members of properties (1) and context (2), and the group (3), of all events of the hours or of one in so many, each object read once. Of
// members with one name the first counts, as it does for a question.
const SPAN_MEMBERS = `create or replace view telemetry.span_members as
   select tenant_id, hour, name, kind, keep_days, source, pair.1 as key, pair.2 as value
   from (
     select tenant_id, hour, name, kind, keep_days,
       JSONExtractKeysAndValues(properties, 'String') as of_properties, JSONExtractKeysAndValues(context, 'String') as of_context,
       arrayConcat(of_properties, of_context, [('group', group_id)]) as pairs,
       arrayConcat(arrayEnumerateUniq(of_properties.1), arrayEnumerateUniq(of_context.1), [1]) as places,
       arrayConcat(arrayWithConstant(length(of_properties), 1), arrayWithConstant(length(of_context), 2), [3]) as sources
     from telemetry.span_tracked(${SPAN})
     where made_at % {one_in:UInt8} = 0
   )
   array join pairs as pair, places as place, sources as source
   where place = 1 and value != '' and key != ''`;

/** Values are found and counted in one pass. */
export const VALUES_MIGRATIONS: readonly TelemetryMigration[] = [
  {
    version: 10,
    name: 'count_values_in_one_pass',
    statements: [SPAN_TRACKED, SPAN_MEMBERS, 'truncate table telemetry.roll_ups'],
  },
];
