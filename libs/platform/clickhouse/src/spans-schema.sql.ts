import type { TelemetryMigration } from './telemetry-migration';

// Of a run the hours of one statement, of all tenants or of one of so many parts of them.
const SPAN_HOURS = `create or replace view telemetry.span_hours as
   select tenant_id, hour
   from telemetry.run_hours
   where run = {now:DateTime64(6, 'UTC')}
     and hour >= toDateTime({from:UInt32})
     and hour < toDateTime({to:UInt32})
     and sipHash64(tenant_id) % {parts:UInt16} = {part:UInt16}`;

const OF_SPAN = `telemetry.span_hours(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16})`;

// The events of those hours, each once. Copies share the day in which their message was made, whatever they say of when it happened: so
// `final` merges those days alone. `at` is compared with a DateTime64 always: the index on it takes 00:59:59.999 for 01:00:00 beside a
// DateTime (26.7).
const SPAN_TRACKED = `create or replace view telemetry.span_tracked as
   select tenant_id, toStartOfHour(at) as hour, name, kind, user_id, user_hash, group_id, keep_days, properties, context
   from telemetry.tracked final
   where at >= toDateTime64({from:UInt32}, 3, 'UTC') and at < toDateTime64({to:UInt32}, 3, 'UTC')
     and (tenant_id, toStartOfHour(at)) in (select tenant_id, hour from ${OF_SPAN})
     and (tenant_id, intDiv(made_at, 86400000)) in (
       select distinct tenant_id, intDiv(made_at, 86400000) from telemetry.tracked
       where at >= toDateTime64({from:UInt32}, 3, 'UTC') and at < toDateTime64({to:UInt32}, 3, 'UTC')
         and (tenant_id, toStartOfHour(at)) in (select tenant_id, hour from ${OF_SPAN}))`;

/** What the statements of a roll-up have in common. */
export const SPANS_MIGRATIONS: readonly TelemetryMigration[] = [
  { version: 8, name: 'create_spans', statements: [SPAN_HOURS, SPAN_TRACKED] },
];
