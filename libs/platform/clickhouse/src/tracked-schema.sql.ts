import type { TelemetryMigration } from './telemetry-migration';

// `made_at` and the fingerprint of the message's id say which rows are copies of one event; copies may differ in everything else.
// In the key the day comes before the name, so that a range of days and, in it, a name are each a run of granules: over 10 million
// rows of one tenant a day of one name took 46 ms, and 109 ms with the name first, where a new part overlaps with all that is older.
// The message that was received first wins: the largest version is kept, so the version counts down.
// A month is that of arrival, which no sender chooses; copies can be in two, and `final` has to look across them.
const TRACKED = `create table if not exists telemetry.tracked (
     tenant_id UUID,
     message_id String,
     message_fingerprint UInt128 materialized reinterpretAsUInt128(sipHash128(message_id)),
     kind LowCardinality(String),
     name LowCardinality(String),
     user_id String,
     anonymous_id String,
     distinct_id String alias if(user_id = '', anonymous_id, user_id),
     group_id String,
     at DateTime64(3, 'UTC') codec(Delta, ZSTD(1)),
     made_at Int64 codec(Delta, ZSTD(1)),
     received_at DateTime64(3, 'UTC') codec(Delta, ZSTD(1)),
     key_id UUID,
     keep_days UInt16,
     properties String codec(ZSTD(1)),
     context String codec(ZSTD(1)),
     stored_at DateTime64(6, 'UTC') default now64(6) codec(Delta, ZSTD(1)),
     precedence UInt64 materialized 9999999999999 - toUnixTimestamp64Milli(received_at) codec(Delta, ZSTD(1)),
     index at_range at type minmax,
     index stored_range stored_at type minmax,
     index users (user_id, anonymous_id) type bloom_filter(0.01)
   )
   engine = ReplacingMergeTree(precedence)
   partition by toYYYYMM(received_at)
   order by (tenant_id, intDiv(made_at, 86400000), name, made_at, message_fingerprint)
   ttl toDateTime(received_at) + toIntervalDay(keep_days)
   settings non_replicated_deduplication_window = 1000`;

const TENANT_TRACKED = `create or replace view telemetry.tenant_tracked as
   select message_id, kind, name, user_id, anonymous_id, distinct_id, group_id, at, made_at, received_at, key_id, properties, context
   from telemetry.tracked final
   where tenant_id = {tenant_id:UUID}`;

// Written by RollUps alone, whole hours at a time: the row of a group that was written last is what counts.
const HOURLY = `create table if not exists telemetry.hourly (
     tenant_id UUID,
     hour DateTime('UTC'),
     name LowCardinality(String),
     kind LowCardinality(String),
     events UInt64,
     users AggregateFunction(uniqExact, Nullable(String)),
     keep_days UInt16,
     version DateTime64(6, 'UTC')
   )
   engine = ReplacingMergeTree(version)
   partition by toYYYYMM(hour)
   order by (tenant_id, hour, name, kind)
   ttl hour + toIntervalDay(keep_days)`;

/** Runs that have ended: every hour that was over when the last one began is rolled up. */
const ROLL_UPS = `create table if not exists telemetry.roll_ups (
     started_at DateTime64(6, 'UTC'),
     finished_at DateTime64(6, 'UTC') default now64(6),
     hours UInt32
   )
   engine = MergeTree
   order by started_at
   ttl toDateTime(started_at) + toIntervalDay(30)`;

/** Hours to roll up again though no row of them has come: rows of them were erased. */
const DIRTY_HOURS = `create table if not exists telemetry.dirty_hours (
     tenant_id UUID,
     hour DateTime('UTC'),
     marked_at DateTime64(6, 'UTC') default now64(6)
   )
   engine = MergeTree
   order by (tenant_id, hour)
   ttl toDateTime(marked_at) + toIntervalDay(7)`;

const BOUNDARY = 'select toStartOfHour(max(started_at)) from telemetry.roll_ups';

const TENANT_HOURS = `create or replace view telemetry.tenant_hours as
   select hour, name, kind, events, users
   from telemetry.hourly final
   where tenant_id = {tenant_id:UUID} and events > 0 and hour < (${BOUNDARY})
   settings do_not_merge_across_partitions_select_final = 1`;

// No row for a tenant without hours: then everything is read from its rows.
const TENANT_ROLLED_UP = `create or replace view telemetry.tenant_rolled_up as
   select (${BOUNDARY}) as until
   from telemetry.hourly
   where tenant_id = {tenant_id:UUID}
   limit 1`;

// What each ingest process counted since it last wrote; `process_id` is of one run of a process, `at` the instant of writing, so
// that a row that comes twice is one. In flight and spilled go down as well as up.
const INGEST_MINUTES = `create table if not exists telemetry.ingest_minutes (
     tenant_id UUID,
     at DateTime64(3, 'UTC'),
     process_id UUID,
     lane LowCardinality(String),
     outcome LowCardinality(String),
     reason LowCardinality(String),
     events Int64,
     stored_at DateTime64(6, 'UTC') default now64(6)
   )
   engine = ReplacingMergeTree
   partition by toYYYYMM(at)
   order by (tenant_id, at, process_id, lane, outcome, reason)
   ttl toDateTime(at) + toIntervalDay(90)
   settings non_replicated_deduplication_window = 1000`;

const TENANT_INGEST_MINUTES = `create or replace view telemetry.tenant_ingest_minutes as
   select at, process_id, lane, outcome, reason, events
   from telemetry.ingest_minutes final
   where tenant_id = {tenant_id:UUID}
   settings do_not_merge_across_partitions_select_final = 1`;

const BAD_ROWS = `create table if not exists telemetry.bad_rows (
     tenant_id UUID,
     at DateTime64(3, 'UTC'),
     id UUID,
     key_id UUID,
     reason LowCardinality(String),
     sample String codec(ZSTD(1)),
     stored_at DateTime64(6, 'UTC') default now64(6)
   )
   engine = ReplacingMergeTree
   partition by toYYYYMM(at)
   order by (tenant_id, at, id)
   ttl toDateTime(at) + toIntervalDay(30)
   settings non_replicated_deduplication_window = 1000`;

const TENANT_BAD_ROWS = `create or replace view telemetry.tenant_bad_rows as
   select at, id, key_id, reason, sample
   from telemetry.bad_rows final
   where tenant_id = {tenant_id:UUID}
   settings do_not_merge_across_partitions_select_final = 1`;

// Rows stored since a little before the last run, by which time an insert that had begun is over; rows whose copy is among those,
// for the copy that was received first counts, in its own hour, and the other one's hour has one less; hours that rows were erased
// from; and every hour that has ended since.
const CHANGED_HOURS = `create or replace view telemetry.changed_hours as
   select tenant_id, hour from (
      select distinct tenant_id, toStartOfHour(at) as hour from telemetry.tracked where stored_at >= {since:DateTime64(6, 'UTC')}
      union distinct
      select tenant_id, toStartOfHour(at) as hour from telemetry.tracked
      where (tenant_id, intDiv(made_at, 86400000)) in (
          select distinct tenant_id, intDiv(made_at, 86400000) from telemetry.tracked
          where stored_at >= {since:DateTime64(6, 'UTC')})
        and message_fingerprint in (
          select message_fingerprint from telemetry.tracked
          where stored_at >= {since:DateTime64(6, 'UTC')} and toUnixTimestamp64Milli(at) != made_at)
      union distinct
      select tenant_id, toStartOfHour(at) as hour from telemetry.tracked
      where toUnixTimestamp64Milli(at) != made_at
        and (tenant_id, intDiv(made_at, 86400000)) in (
          select distinct tenant_id, intDiv(made_at, 86400000) from telemetry.tracked
          where stored_at >= {since:DateTime64(6, 'UTC')})
        and message_fingerprint in (
          select message_fingerprint from telemetry.tracked where stored_at >= {since:DateTime64(6, 'UTC')})
      union distinct
      select tenant_id, hour from telemetry.dirty_hours where marked_at >= {since:DateTime64(6, 'UTC')}
      union distinct
      select tenant_id, toStartOfHour(at) as hour from telemetry.tracked
      where at >= toDateTime64(toStartOfHour({last:DateTime64(6, 'UTC')}), 3, 'UTC')
        and at < toDateTime64(toStartOfHour({now:DateTime64(6, 'UTC')}), 3, 'UTC')
    )
    where hour < toStartOfHour({now:DateTime64(6, 'UTC')})`;

/** What tenants' software tracks, what was counted of it on its way, and its roll-ups. */
export const TRACKED_MIGRATIONS: readonly TelemetryMigration[] = [
  { version: 3, name: 'create_tracked', statements: [TRACKED, TENANT_TRACKED] },
  {
    version: 4,
    name: 'create_roll_ups',
    statements: [HOURLY, ROLL_UPS, DIRTY_HOURS, TENANT_HOURS, TENANT_ROLLED_UP],
  },
  {
    version: 5,
    name: 'create_ingest_minutes_and_bad_rows',
    statements: [INGEST_MINUTES, TENANT_INGEST_MINUTES, BAD_ROWS, TENANT_BAD_ROWS],
  },
  { version: 6, name: 'create_changed_hours', statements: [CHANGED_HOURS] },
];
