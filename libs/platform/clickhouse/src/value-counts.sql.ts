// A statement stands here as it is sent. At most 100 paths of a tenant's hour are counted, those of most events; a path with more than 1,000
// values in an hour is not counted in it, nor one with a value of more than 200 bytes: nobody asks which of so many is frequent, and the
// rows still can answer. Members are found as a question finds them: of those with one name the first, none whose name no question can
// say, and those of objects in them.

/** Which paths an hour has, and whether one has more values than are counted; '' stands for more paths than are. And its users. */
export const COUNT_PATHS = `insert into telemetry.value_counts (tenant_id, span, path, is_total, name, kind, begins, members, counts, is_partial, keep_days, version)
  
  select tenant_id, 'hour', path, 1, name, kind, hour, groupArrayIf(value, events > 0), groupArrayIf(toUInt32(events), events > 0),
    max(partial), max(value_keep_days), now64(6, 'UTC')
  from (
    select tenant_id, hour, 'user' as path, '' as name, '' as kind, user_id as value, count() as events, 0 as partial,
      max(keep_days) as value_keep_days
    from telemetry.span_tracked(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16})
    where user_id != ''
    group by tenant_id, hour, value
    union all
    select tenant_id, hour, if(place <= 100, path, '') as path, '' as name, '' as kind, '' as value, 0 as events,
      if(place <= 100, is_large, 1) as partial, path_keep_days
    from (
      select tenant_id, hour, path, path_events, path_keep_days, is_large, row_number() over (partition by tenant_id, hour order by path_events desc, path) as place
      from (
        select tenant_id, hour, pair.1 as path, count() as path_events, max(keep_days) as path_keep_days,
          uniqCombined(12)(pair.2) > 1000 or max(length(pair.2)) > 200 as is_large
        from (
    select tenant_id, hour, name, kind, keep_days,
        arrayFilter((member, nth) -> nth = 1 and member.1 != '' and member.2 != '' and position(member.1, '.') = 0,
          JSONExtractKeysAndValues(properties, 'String'), arrayEnumerateUniq(JSONExtractKeysAndValues(properties, 'String').1)) as properties_members,
        arrayFilter((member, nth) -> nth = 1 and member.1 != '' and member.2 != '' and position(member.1, '.') = 0,
          JSONExtractKeysAndValues(context, 'String'), arrayEnumerateUniq(JSONExtractKeysAndValues(context, 'String').1)) as context_members,
        arrayConcat(if(group_id = '', [], [('group', group_id)]), 
        arrayMap(member -> (concat('properties.', member.1), member.2), properties_members),
        arrayFlatten(arrayMap(outer -> arrayMap(member -> (concat('properties.', outer.1, '.', member.1), member.2), arrayFilter((member, nth) -> nth = 1 and member.1 != '' and member.2 != '' and position(member.1, '.') = 0,
          JSONExtractKeysAndValues(outer.2, 'String'), arrayEnumerateUniq(JSONExtractKeysAndValues(outer.2, 'String').1))),
          arrayFilter(member -> startsWith(member.2, '{'), properties_members))), 
        arrayMap(member -> (concat('context.', member.1), member.2), context_members),
        arrayFlatten(arrayMap(outer -> arrayMap(member -> (concat('context.', outer.1, '.', member.1), member.2), arrayFilter((member, nth) -> nth = 1 and member.1 != '' and member.2 != '' and position(member.1, '.') = 0,
          JSONExtractKeysAndValues(outer.2, 'String'), arrayEnumerateUniq(JSONExtractKeysAndValues(outer.2, 'String').1))),
          arrayFilter(member -> startsWith(member.2, '{'), context_members)))) as pairs
    from telemetry.span_tracked(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16})
        )
        array join pairs as pair
        group by tenant_id, hour, path
      )
    )
    union all 
    select tenant_id, begins, path, name, kind, '' as value, 0 as events, 0 as partial, keep_days
    from telemetry.value_counts
    where span = 'hour' and is_total = 1 and begins >= toDateTime({from:UInt32}) and begins < toDateTime({to:UInt32})
      and (tenant_id, begins) in (select tenant_id, hour from telemetry.span_hours(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16}))
  )
  group by tenant_id, path, name, kind, hour`;

/** The values of those paths, by name and kind. */
export const COUNT_VALUES = `insert into telemetry.value_counts (tenant_id, span, path, is_total, name, kind, begins, members, counts, is_partial, keep_days, version)
  
  select tenant_id, 'hour', path, 0, name, kind, hour, groupArrayIf(value, events > 0), groupArrayIf(toUInt32(events), events > 0),
    max(partial), max(value_keep_days), now64(6, 'UTC')
  from (
    select tenant_id, hour, pair.1 as path, name, kind, pair.2 as value, count() as events, 0 as partial, max(keep_days) as value_keep_days
    from (
    select tenant_id, hour, name, kind, keep_days,
        arrayFilter((member, nth) -> nth = 1 and member.1 != '' and member.2 != '' and position(member.1, '.') = 0,
          JSONExtractKeysAndValues(properties, 'String'), arrayEnumerateUniq(JSONExtractKeysAndValues(properties, 'String').1)) as properties_members,
        arrayFilter((member, nth) -> nth = 1 and member.1 != '' and member.2 != '' and position(member.1, '.') = 0,
          JSONExtractKeysAndValues(context, 'String'), arrayEnumerateUniq(JSONExtractKeysAndValues(context, 'String').1)) as context_members,
        arrayConcat(if(group_id = '', [], [('group', group_id)]), 
        arrayMap(member -> (concat('properties.', member.1), member.2), properties_members),
        arrayFlatten(arrayMap(outer -> arrayMap(member -> (concat('properties.', outer.1, '.', member.1), member.2), arrayFilter((member, nth) -> nth = 1 and member.1 != '' and member.2 != '' and position(member.1, '.') = 0,
          JSONExtractKeysAndValues(outer.2, 'String'), arrayEnumerateUniq(JSONExtractKeysAndValues(outer.2, 'String').1))),
          arrayFilter(member -> startsWith(member.2, '{'), properties_members))), 
        arrayMap(member -> (concat('context.', member.1), member.2), context_members),
        arrayFlatten(arrayMap(outer -> arrayMap(member -> (concat('context.', outer.1, '.', member.1), member.2), arrayFilter((member, nth) -> nth = 1 and member.1 != '' and member.2 != '' and position(member.1, '.') = 0,
          JSONExtractKeysAndValues(outer.2, 'String'), arrayEnumerateUniq(JSONExtractKeysAndValues(outer.2, 'String').1))),
          arrayFilter(member -> startsWith(member.2, '{'), context_members)))) as pairs
    from telemetry.span_tracked(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16})
    )
    array join pairs as pair
    where (tenant_id, hour, pair.1) in (
      select tenant_id, begins, path
      from telemetry.value_counts final
      where span = 'hour' and is_total = 1 and is_partial = 0 and begins >= toDateTime({from:UInt32}) and begins < toDateTime({to:UInt32})
        and (tenant_id, begins) in (select tenant_id, hour from telemetry.span_hours(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16})))
    group by tenant_id, hour, path, name, kind, value
    union all 
    select tenant_id, begins, path, name, kind, '' as value, 0 as events, 0 as partial, keep_days
    from telemetry.value_counts
    where span = 'hour' and is_total = 0 and begins >= toDateTime({from:UInt32}) and begins < toDateTime({to:UInt32})
      and (tenant_id, begins) in (select tenant_id, hour from telemetry.span_hours(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16}))
  )
  group by tenant_id, path, name, kind, hour`;

/** Users of days that are over, from their hours. */
export const COUNT_USERS_OF_DAYS = `insert into telemetry.value_counts (tenant_id, span, path, is_total, name, kind, begins, members, counts, is_partial, keep_days, version)
  select tenant_id, 'day', 'user', 1, '', '', day, groupArrayIf(value, events > 0), groupArrayIf(toUInt32(events), events > 0), 0,
    max(value_keep_days), now64(6, 'UTC')
  from (
    select tenant_id, toStartOfDay(begins) as day, value, sum(count) as events, max(keep_days) as value_keep_days
    from telemetry.value_counts final
    left array join members as value, counts as count
    where span = 'hour' and path = 'user' and is_total = 1 and begins >= toStartOfDay(toDateTime({from:UInt32}, 'UTC'))
    and begins < toStartOfDay(toDateTime({to:UInt32} - 1, 'UTC')) + toIntervalDay(1)
    and (tenant_id, toStartOfDay(begins)) in (select tenant_id, toStartOfDay(hour) from (select tenant_id, hour from telemetry.span_hours(now = {now:DateTime64(6, 'UTC')}, from = {from:UInt32}, to = {to:UInt32}, part = {part:UInt16}, parts = {parts:UInt16})))
    and toStartOfDay(begins) < toStartOfDay({now:DateTime64(6, 'UTC')})
    group by tenant_id, day, value
  )
  group by tenant_id, day`;
