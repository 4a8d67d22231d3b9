/** When the last run began that has ended (1970 where none has), and how long ago, by the server's clock. */
export const LAST_RUN = `select toString(max(started_at)) as last, toString(now64(6, 'UTC')) as now,
    toString(dateDiff('second', max(started_at), now64(6, 'UTC'))) as age
  from telemetry.roll_ups`;

// `at` is compared with a DateTime64 always: the index on it takes 00:59:59.999 for 01:00:00 beside a DateTime (26.7).

/** Hours in which something has changed, or that have ended, oldest first. */
export const DIRTY_HOURS = `select distinct toUnixTimestamp(hour) as hour
  from telemetry.changed_hours(since = {since:DateTime64(6, 'UTC')}, last = {last:DateTime64(6, 'UTC')}, now = {now:DateTime64(6, 'UTC')})
  order by hour`;

/**
 * Counts the dirty hours of a range anew, from rows without their copies. Groups that were there and have lost their last event are
 * written with none. Of two who do this at once, the one that began later is believed, and it has seen what the other has.
 */
export const ROLL_UP = `insert into telemetry.hourly (tenant_id, hour, name, kind, events, users, keep_days, version)
  select tenant_id, hour, name, kind, sum(group_events), uniqExactMergeState(group_users), max(group_keep_days), now64(6, 'UTC')
  from (
    select tenant_id, toStartOfHour(at) as hour, name, kind, count() as group_events,
      uniqExactState(nullIf(distinct_id, '')) as group_users, max(keep_days) as group_keep_days
    from telemetry.tracked final
    where at >= toDateTime64({from:UInt32}, 3, 'UTC') and at < toDateTime64({to:UInt32}, 3, 'UTC')
      and (tenant_id, toStartOfHour(at)) in (
        select tenant_id, hour from telemetry.changed_hours(since = {since:DateTime64(6, 'UTC')}, last = {last:DateTime64(6, 'UTC')}, now = {now:DateTime64(6, 'UTC')}))
    group by tenant_id, hour, name, kind
    union all
    select tenant_id, hour, name, kind, 0, initializeAggregation('uniqExactState', cast(null as Nullable(String))), keep_days
    from telemetry.hourly
    where hour >= toDateTime({from:UInt32}) and hour < toDateTime({to:UInt32}) and (tenant_id, hour) in (
        select tenant_id, hour from telemetry.changed_hours(since = {since:DateTime64(6, 'UTC')}, last = {last:DateTime64(6, 'UTC')}, now = {now:DateTime64(6, 'UTC')}))
  )
  group by tenant_id, hour, name, kind`;

/** Written when all hours of the run are. */
export const RUN_ENDED = `insert into telemetry.roll_ups (started_at, hours)
  select {now:DateTime64(6, 'UTC')}, {hours:UInt32}`;
