import { COUNT_VALUES, COUNT_VALUES_OF_DAYS, FIND_LARGE_PATHS } from './value-counts.sql';

/** When the last run began that has ended (1970 where none has), and how long ago, by the server's clock. */
export const LAST_RUN = `select toString(max(started_at)) as last, toString(now64(6, 'UTC')) as now,
    toString(dateDiff('second', max(started_at), now64(6, 'UTC'))) as age
  from telemetry.roll_ups`;

// `at` is compared with a DateTime64 always: the index on it takes 00:59:59.999 for 01:00:00 beside a DateTime (26.7).

/** Finds the hours in which something has changed, or that have ended, once for all statements of a run. */
export const FIND_HOURS = `insert into telemetry.run_hours (run, hour, tenant_id)
  select {now:DateTime64(6, 'UTC')}, hour, tenant_id
  from telemetry.changed_hours(since = {since:DateTime64(6, 'UTC')}, last = {last:DateTime64(6, 'UTC')}, now = {now:DateTime64(6, 'UTC')})`;

/** The run's hours, oldest first. */
export const DIRTY_HOURS = `select distinct toUnixTimestamp(hour) as hour
  from telemetry.run_hours
  where run = {now:DateTime64(6, 'UTC')}
  order by hour`;

// Copies share the day in which their message was made, whatever they say of when it happened: so `final` merges those days alone.

/**
 * Counts the dirty hours of a range anew, from rows without their copies. Groups that were there and have lost their last event are
 * written with none. Of two who do this at once, the one that began later is believed, and it has seen what the other has.
 */
const EVENTS = `insert into telemetry.hourly (tenant_id, hour, name, kind, events, keep_days, version)
  select tenant_id, hour, name, kind, sum(group_events), max(group_keep_days), now64(6, 'UTC')
  from (
    select tenant_id, hour, name, kind, count() as group_events, max(keep_days) as group_keep_days
    from telemetry.span_tracked(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16})
    group by tenant_id, hour, name, kind
    union all
    select tenant_id, hour, name, kind, 0, keep_days
    from telemetry.hourly
    where hour >= toDateTime({from:UInt32}) and hour < toDateTime({to:UInt32})
      and (tenant_id, hour) in (select tenant_id, hour from telemetry.span_hours(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16}))
  )
  group by tenant_id, hour, name, kind`;

/**
 * The same for users: 0 of each name and kind, 1 of all, 2 of each kind, and 3 of a name where it has several kinds, or had when it was
 * counted before.
 */
const USERS_OF_HOURS = `insert into telemetry.user_sets (tenant_id, span, is_total, name, kind, begins, users, keep_days, version)
  select tenant_id, 'hour', total, if(total in (1, 2), '', name) as of_name, if(total in (1, 3), '', kind) as of_kind, hour,
    uniqExactMergeState(group_users), max(group_keep_days), now64(6, 'UTC')
  from (
    select tenant_id, hour, name, kind, uniqExactStateIf(user_hash, user_hash != 0) as group_users,
      max(keep_days) as group_keep_days, [0, 1, 2, 3] as totals, 0 as known
    from telemetry.span_tracked(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16})
    group by tenant_id, hour, name, kind
    union all
    select tenant_id, begins, name, kind, initializeAggregation('uniqExactStateIf', toUInt64(0), 0), keep_days, [is_total], 1
    from telemetry.user_sets
    where span = 'hour' and begins >= toDateTime({from:UInt32}) and begins < toDateTime({to:UInt32})
      and (tenant_id, begins) in (select tenant_id, hour from telemetry.span_hours(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16}))
  )
  array join totals as total
  group by tenant_id, hour, total, of_name, of_kind
  having total != 3 or max(known) = 1 or min(kind) != max(kind)`;

/** Users of days from all of their hours, whichever were dirty. */
const USERS_OF_DAYS = `insert into telemetry.user_sets (tenant_id, span, is_total, name, kind, begins, users, keep_days, version)
  select tenant_id, 'day', is_total, name, kind, toStartOfDay(begins) as day, uniqExactMergeState(users), max(keep_days), now64(6, 'UTC')
  from telemetry.user_sets final
  where span = 'hour' and begins >= toStartOfDay(toDateTime({from:UInt32}, 'UTC'))
    and begins < toStartOfDay(toDateTime({to:UInt32} - 1, 'UTC')) + toIntervalDay(1)
    and (tenant_id, toStartOfDay(begins)) in (select tenant_id, toStartOfDay(hour) from (select tenant_id, hour from telemetry.span_hours(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16})))
    and toStartOfDay(begins) < toStartOfDay({now:DateTime64(6, 'UTC')})
  group by tenant_id, is_total, name, kind, day`;

/** Written when all hours of the run are. */
export const RUN_ENDED = `insert into telemetry.roll_ups (started_at, hours)
  select {now:DateTime64(6, 'UTC')}, {hours:UInt32}`;

/** What is counted anew of a range of hours, in this order: days are made of hours. */
export const ROLL_UPS = [
  EVENTS,
  USERS_OF_HOURS,
  USERS_OF_DAYS,
  FIND_LARGE_PATHS,
  COUNT_VALUES,
  COUNT_VALUES_OF_DAYS,
] as const;
