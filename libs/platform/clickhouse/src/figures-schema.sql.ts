import type { TelemetryMigration } from './telemetry-migration';

/** A DateTime ends in 2106, and beyond it begins anew: what is to be kept for longer would be gone at once. */
const KEEP_DAYS_MAX = 10_000;

// A user as a number: eight bytes where names take twenty and states of names sixteen. Among ten million users two share one with a
// probability of 3 in 10^6. Nobody is 0.
const USER_HASH = `alter table telemetry.tracked add column if not exists user_hash UInt64
  materialized if(distinct_id = '', 0, sipHash64(distinct_id))`;

const TENANT_TRACKED = `create or replace view telemetry.tenant_tracked as
   select message_id, kind, name, user_id, anonymous_id, distinct_id, user_hash, group_id, at, made_at, received_at, key_id, properties, context
   from telemetry.tracked final
   where tenant_id = {tenant_id:UUID}`;

// Copies and all, which is ten times faster where copies change nothing, or are told apart by the reader. Of copies the one with the
// largest precedence counts.
const TENANT_COPIES = `create or replace view telemetry.tenant_tracked_copies as
   select message_id, message_fingerprint, kind, name, user_id, anonymous_id, user_hash, group_id, at, made_at, precedence, properties, context
   from telemetry.tracked
   where tenant_id = {tenant_id:UUID}`;

// Users by name and kind, and, with is_total, of all of them; by hour, and by day of days that are over. A day is made of its
// hours. The key is that of the questions: one name, then a range.
const USER_SETS = `create table if not exists telemetry.user_sets (
     tenant_id UUID,
     span Enum8('hour' = 1, 'day' = 2),
     is_total UInt8,
     name LowCardinality(String),
     kind LowCardinality(String),
     begins DateTime('UTC'),
     users AggregateFunction(uniqExact, UInt64),
     keep_days UInt16,
     version DateTime64(6, 'UTC')
   )
   engine = ReplacingMergeTree(version)
   partition by toYYYYMM(begins)
   order by (tenant_id, span, is_total, name, begins, kind)
   ttl begins + toIntervalDay(least(keep_days, ${KEEP_DAYS_MAX}))`;

// How often events of an hour have a value at a path (`group`, `properties.plan`), by name and kind. With is_total: which paths the
// hour has, and whether one is left out for having too many values; the path '' is of paths that are left out. Users are counted of
// all events, however many they are, by hour and by day that is over.
const VALUE_COUNTS = `create table if not exists telemetry.value_counts (
     tenant_id UUID,
     span Enum8('hour' = 1, 'day' = 2),
     path String,
     is_total UInt8,
     name LowCardinality(String),
     kind LowCardinality(String),
     begins DateTime('UTC'),
     members Array(String) codec(ZSTD(1)),
     counts Array(UInt32) codec(ZSTD(1)),
     is_partial UInt8,
     keep_days UInt16,
     version DateTime64(6, 'UTC')
   )
   engine = ReplacingMergeTree(version)
   partition by toYYYYMM(begins)
   order by (tenant_id, span, path, is_total, begins, name, kind)
   ttl begins + toIntervalDay(least(keep_days, ${KEEP_DAYS_MAX}))`;

const BOUNDARY = 'select toStartOfHour(max(started_at)) from telemetry.roll_ups';

// A day is there once its last hour is.
const TENANT_USER_SETS = `create or replace view telemetry.tenant_user_sets as
   select span, is_total, name, kind, begins, users
   from telemetry.user_sets final
   where tenant_id = {tenant_id:UUID} and begins < (${BOUNDARY})
   settings do_not_merge_across_partitions_select_final = 1`;

const TENANT_VALUE_COUNTS = `create or replace view telemetry.tenant_value_counts as
   select span, path, is_total, name, kind, begins, members, counts, is_partial
   from telemetry.value_counts final
   where tenant_id = {tenant_id:UUID} and begins < (${BOUNDARY})
   settings do_not_merge_across_partitions_select_final = 1`;

const TENANT_HOURS = `create or replace view telemetry.tenant_hours as
   select hour, name, kind, events
   from telemetry.hourly final
   where tenant_id = {tenant_id:UUID} and events > 0 and hour < (${BOUNDARY})
   settings do_not_merge_across_partitions_select_final = 1`;

/** The hours of a run: what is changed is looked for once, and not in each of its statements. */
const RUN_HOURS = `create table if not exists telemetry.run_hours (
     run DateTime64(6, 'UTC'),
     hour DateTime('UTC'),
     tenant_id UUID
   )
   engine = MergeTree
   order by (run, hour, tenant_id)
   ttl toDateTime(run) + toIntervalDay(1)`;

const YOUNG_DAYS = `(tenant_id, intDiv(made_at, 86400000)) in (
          select distinct tenant_id, intDiv(made_at, 86400000) from telemetry.tracked
          where stored_at >= {since:DateTime64(6, 'UTC')})`;

// Rows stored since a little before the last run, by which time an insert that had begun is over; rows whose copy is among those,
// for the copy that was received first counts, in its own hour, and the other one's hour has one less; hours that rows were erased
// from; and every hour that has ended since. Copies are in one hour unless a clock was corrected, so only messages with a corrected
// copy are looked for: to hold all that came would take as much memory as came.
const CHANGED_HOURS = `create or replace view telemetry.changed_hours as
   select tenant_id, hour from (
      select distinct tenant_id, toStartOfHour(at) as hour from telemetry.tracked where stored_at >= {since:DateTime64(6, 'UTC')}
      union distinct
      select tenant_id, toStartOfHour(at) as hour from telemetry.tracked
      where ${YOUNG_DAYS}
        and message_fingerprint in (
          select message_fingerprint from telemetry.tracked
          where stored_at >= {since:DateTime64(6, 'UTC')} and toUnixTimestamp64Milli(at) != made_at)
      union distinct
      select tenant_id, toStartOfHour(at) as hour from telemetry.tracked
      where toUnixTimestamp64Milli(at) != made_at
        and ${YOUNG_DAYS}
        and message_fingerprint in (
          select message_fingerprint from telemetry.tracked
          where stored_at >= {since:DateTime64(6, 'UTC')} and message_fingerprint in (
            select message_fingerprint from telemetry.tracked where toUnixTimestamp64Milli(at) != made_at and ${YOUNG_DAYS}))
      union distinct
      select tenant_id, hour from telemetry.dirty_hours where marked_at >= {since:DateTime64(6, 'UTC')}
      union distinct
      select tenant_id, toStartOfHour(at) as hour from telemetry.tracked
      where at >= toDateTime64(toStartOfHour({last:DateTime64(6, 'UTC')}), 3, 'UTC')
        and at < toDateTime64(toStartOfHour({now:DateTime64(6, 'UTC')}), 3, 'UTC')
    )
    where hour < toStartOfHour({now:DateTime64(6, 'UTC')})`;

/** What figures are read from beside the rows. The roll-ups begin anew, since those that are there lack what is added. */
export const FIGURES_MIGRATIONS: readonly TelemetryMigration[] = [
  {
    version: 7,
    name: 'roll_up_users_and_values',
    statements: [
      USER_HASH,
      TENANT_TRACKED,
      TENANT_COPIES,
      USER_SETS,
      VALUE_COUNTS,
      TENANT_USER_SETS,
      TENANT_VALUE_COUNTS,
      TENANT_HOURS,
      RUN_HOURS,
      CHANGED_HOURS,
      // What is there keeps the day that it has: parts that are merged anew take the bounded one.
      `alter table telemetry.tracked modify ttl toDateTime(received_at) + toIntervalDay(least(keep_days, ${KEEP_DAYS_MAX}))
         settings materialize_ttl_after_modify = 0`,
      `alter table telemetry.hourly modify ttl hour + toIntervalDay(least(keep_days, ${KEEP_DAYS_MAX}))
         settings materialize_ttl_after_modify = 0`,
      'alter table telemetry.hourly drop column if exists users',
      'truncate table telemetry.roll_ups',
    ],
  },
];
