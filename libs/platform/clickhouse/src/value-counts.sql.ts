// A statement stands here as it is sent. At most 100 paths of a tenant's hour are counted, those of most events; a path with more than 1,000
// values in an hour is not counted in it, nor one with a value of more than 200 bytes: nobody asks which of so many is frequent, and the
// rows still can answer. Members are found as a question finds them: of those with one name the first, none whose name no question can
// say, and those of objects in them.

/**
 * Which paths have more values than are counted, as far as one event in sixteen tells: 600 of those. They would be most of what is
 * grouped, an id for each event. Whatever this misses is seen when it has been counted. A name is left out of properties and of context
 * alike, since a text for each member of each event costs more than both.
 */
export const FIND_LARGE_PATHS = `insert into telemetry.value_counts (tenant_id, span, path, is_total, name, kind, begins, members, counts, is_partial, keep_days, version)
  select tenant_id, 'hour', concat(arrayJoin(['properties.', 'context.']), key) as path, 1, '', '', hour, [], [], 1, max(keep_days),
    now64(6, 'UTC')
  from telemetry.span_members(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16}, one_in = 16)
  where source != 3
  group by tenant_id, hour, key
  having uniqExact(value) > 600`;

/**
 * Counts the values of an hour: by name and kind (0), and of all events with which paths there are, whether one is left out for having
 * too many values, and, at '', whether whole paths are (1). Equal values are put together before what is in objects is looked for.
 */
export const COUNT_VALUES = `insert into telemetry.value_counts (tenant_id, span, path, is_total, name, kind, begins, members, counts, is_partial, keep_days, version)
  select tenant_id, 'hour', path, total, of_name, of_kind, hour, groupArrayIf(value, events > 0), groupArrayIf(toUInt32(events), events > 0),
    max(partial), max(value_keep_days), now64(6, 'UTC')
  from (
    select tenant_id, hour, if(place <= 100, path, '') as path, entry.1 as total, entry.2 as of_name, entry.3 as of_kind, entry.4 as value,
      entry.5 as events, place > 100 or is_large as partial, path_keep_days as value_keep_days
    from (
      select tenant_id, hour, path, counted, path_keep_days, is_large,
        row_number() over (partition by tenant_id, hour order by path_events desc, path) as place
      from (
        select tenant_id, hour, path, sum(value_events) as path_events, max(value_keep_days) as path_keep_days,
          count() > 1000 or max(length(value)) > 200 as is_large,
          if(is_large, [], groupArray(1000)((value, value_events, by_name))) as counted
        from (
          select tenant_id, hour, path, value, sum(events) as value_events, max(group_keep_days) as value_keep_days,
            groupArray((name, kind, events)) as by_name
          from (
            select tenant_id, hour, name, kind, member.1 as path, member.2 as value, sum(group_events) as events,
              max(keep_days) as group_keep_days
            from (
              select tenant_id, hour, name, kind, keep_days, group_events,
                multiIf(source = 1, concat('properties.', key), source = 2, concat('context.', key), key) as outer,
                arrayJoin(arrayConcat([(outer, value)], if(source != 3 and startsWith(value, '{'), arrayMap(
                  inner -> (concat(outer, '.', inner.1), inner.2),
                  arrayFilter((inner, nth) -> nth = 1 and inner.1 != '' and inner.2 != '' and position(inner.1, '.') = 0,
                    JSONExtractKeysAndValues(value, 'String'), arrayEnumerateUniq(JSONExtractKeysAndValues(value, 'String').1))), []))) as member
              from (
                select tenant_id, hour, name, kind, source, key, value, count() as group_events, max(keep_days) as keep_days
                from telemetry.span_members(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16}, one_in = 1)
                where position(key, '.') = 0
                  and (source = 3 or (tenant_id, hour, key) not in (
                    select tenant_id, begins, substring(path, position(path, '.') + 1)
                    from telemetry.value_counts
                    where span = 'hour' and is_total = 1 and is_partial = 1 and version >= {now:DateTime64(6, 'UTC')}
                      and begins >= toDateTime({from:UInt32}) and begins < toDateTime({to:UInt32})))
                group by tenant_id, hour, name, kind, source, key, value
              )
            )
            group by tenant_id, hour, name, kind, path, value
          )
          group by tenant_id, hour, path, value
        )
        group by tenant_id, hour, path
      )
    )
    array join if(place > 100 or is_large, [(1, '', '', '', toUInt64(0))], arrayConcat(
      arrayMap(each -> (1, '', '', each.1, each.2), counted),
      arrayFlatten(arrayMap(each -> arrayMap(of -> (0, toString(of.1), toString(of.2), each.1, of.3), each.3), counted)))) as entry
    union all
    select tenant_id, hour, 'user' as path, 1 as total, '' as of_name, '' as of_kind, user_id as value, count() as events, 0 as partial,
      max(keep_days) as value_keep_days
    from telemetry.span_tracked(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16})
    where user_id != ''
    group by tenant_id, hour, value
    union all
    select tenant_id, begins, path, is_total, name, kind, '' as value, 0 as events, is_partial = 1 and version >= {now:DateTime64(6, 'UTC')} as partial,
      keep_days
    from telemetry.value_counts
    where span = 'hour' and begins >= toDateTime({from:UInt32}) and begins < toDateTime({to:UInt32})
      and (tenant_id, begins) in (select tenant_id, hour from telemetry.span_hours(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16}))
  )
  group by tenant_id, path, total, of_name, of_kind, hour`;

/** Values and users of all events of days that are over, from their hours. */
export const COUNT_VALUES_OF_DAYS = `insert into telemetry.value_counts (tenant_id, span, path, is_total, name, kind, begins, members, counts, is_partial, keep_days, version)
  select tenant_id, 'day', path, 1, '', '', day, groupArrayIf(value, events > 0), groupArrayIf(toUInt32(events), events > 0), max(partial),
    max(value_keep_days), now64(6, 'UTC')
  from (
    select tenant_id, toStartOfDay(begins) as day, path, value, sum(count) as events, max(is_partial) as partial, max(keep_days) as value_keep_days
    from telemetry.value_counts final
    left array join members as value, counts as count
    where span = 'hour' and is_total = 1 and begins >= toStartOfDay(toDateTime({from:UInt32}, 'UTC'))
    and begins < toStartOfDay(toDateTime({to:UInt32} - 1, 'UTC')) + toIntervalDay(1)
    and (tenant_id, toStartOfDay(begins)) in (select tenant_id, toStartOfDay(hour) from (select tenant_id, hour from telemetry.span_hours(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16})))
    and toStartOfDay(begins) < toStartOfDay({now:DateTime64(6, 'UTC')})
    group by tenant_id, day, path, value
  )
  group by tenant_id, day, path`;
