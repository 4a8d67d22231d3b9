import { FIGURES_MIGRATIONS } from './figures-schema.sql';
import { REST_MIGRATIONS } from './rest-schema.sql';
import { SPANS_MIGRATIONS } from './spans-schema.sql';
import { STEPS_MIGRATIONS } from './steps-schema.sql';
import type { TelemetryMigration } from './telemetry-migration';
import { TRACKED_MIGRATIONS } from './tracked-schema.sql';
import { VALUES_MIGRATIONS } from './values-schema.sql';

/** Where the applied versions are noted, so that a process that is up to date sends one statement. */
export const VERSIONS_TABLE = [
  'create database if not exists telemetry',
  `create table if not exists telemetry.schema_versions (
     version UInt32,
     name String,
     applied_at DateTime64(3, 'UTC') default now64(3)
   )
   engine = ReplacingMergeTree
   order by version`,
] as const;

export const APPLIED_VERSIONS =
  'select distinct version from telemetry.schema_versions order by version limit 1000';

/**
 * The tables that hold rows of tenants, which erasing one goes through; a test holds the list against the catalogue. Roll-ups come
 * after the rows that they are made of.
 */
export const TENANT_TABLES = [
  'events',
  'tracked',
  'dirty_hours',
  'run_hours',
  'hourly',
  'user_sets',
  'value_counts',
  'ingest_minutes',
  'bad_rows',
] as const;

/** What one of them holds of a tenant. */
export const COUNT_ROWS =
  'select count() as rows from telemetry.{table:Identifier} where tenant_id = {tenant_id:UUID}';

/** Waits until it is done: on every replica, where there are any. */
export const ERASE_ROWS =
  'alter table telemetry.{table:Identifier} delete where tenant_id = {tenant_id:UUID} settings mutations_sync = 2';

/**
 * The store's schema. ClickHouse has no transactional DDL and no lock to take: two processes that start together may
 * both apply a step, so every statement is one that may run twice at the same time. Steps that have landed stay as
 * they are.
 */
export const TELEMETRY_MIGRATIONS: readonly TelemetryMigration[] = [
  {
    version: 1,
    name: 'create_events',
    statements: [
      // The tenant leads the order key: a tenant's read touches its own granules only. `at` and `id` never change for an
      // event, so copies of one event share the whole key (and the partition), and ReplacingMergeTree keeps one of them.
      // The window remembers the tokens of the last thousand batches; a plain MergeTree's default is to remember none.
      `create table if not exists telemetry.events (
         tenant_id UUID,
         at DateTime64(6, 'UTC'),
         id UUID,
         type LowCardinality(String),
         schema_version UInt16,
         stream_type LowCardinality(String),
         stream_id UUID,
         stream_version UInt64,
         actor String,
         request_id String,
         causation_id Nullable(String),
         traceparent Nullable(String),
         data String codec(ZSTD(3)),
         seq UInt64,
         stored_at DateTime64(6, 'UTC') default now64(6)
       )
       engine = ReplacingMergeTree
       partition by toYYYYMM(at)
       order by (tenant_id, at, id)
       settings non_replicated_deduplication_window = 1000`,
      // The only thing that reads go through. Without its parameter a statement is refused; `final` removes the copies
      // that merges have not reached yet, within a partition, since copies share theirs.
      `create or replace view telemetry.tenant_events as
       select at, id, type, schema_version, stream_type, stream_id, stream_version, actor, request_id, causation_id,
         traceparent, data, seq
       from telemetry.events final
       where tenant_id = {tenant_id:UUID}
       settings do_not_merge_across_partitions_select_final = 1`,
    ],
  },
  {
    version: 2,
    name: 'add_act',
    statements: [
      'alter table telemetry.events add column if not exists act Nullable(String) after actor',
      `create or replace view telemetry.tenant_events as
       select at, id, type, schema_version, stream_type, stream_id, stream_version, actor, act, request_id, causation_id,
         traceparent, data, seq
       from telemetry.events final
       where tenant_id = {tenant_id:UUID}
       settings do_not_merge_across_partitions_select_final = 1`,
    ],
  },
  ...TRACKED_MIGRATIONS,
  ...FIGURES_MIGRATIONS,
  ...SPANS_MIGRATIONS,
  ...REST_MIGRATIONS,
  ...VALUES_MIGRATIONS,
  ...STEPS_MIGRATIONS,
];
