-- The retention: rows of events that are older than a tenant keeps them are deleted, behind an event of the sealed log that says
-- so. Their leaves stay. The last event of each stream stays too, so that the stream can go on.
--
-- tenancy.prune_log is the only way by which rows leave events.log while their tenant lives. It asks for everything again that
-- the worker has looked at, so that no text that is run as the application deletes what may not go.
--
-- Right under concurrency: it holds the tenant's row of audit.retention, as does whoever places a hold or changes the retention; appends
-- only add, so what has a successor keeps one. Safe under load: creates only; a page is some hundred rows by their keys.
set local role holdfast_owner;

-- What every consumer group has behind it of a tenant, as a snapshot: of groups that go back, behind where they go back to.
create function events.consumed_snapshot(tenant uuid) returns pg_snapshot
language sql stable set search_path = pg_catalog, pg_temp as $$
  select t.snapshot
  from events.ticks t
  where t.id <= coalesce((
    select min(least(
      coalesce(c.from_tick, s.from_tick, g.from_tick), c.rewind_to, s.rewind_to,
      case when g.generation > coalesce(abs(c.generation), s.generation, 0) then (
        select min(a.to_tick) from events.group_actions a
        where a.group_name = g.name and a.generation > coalesce(abs(c.generation), s.generation, 0)) end))
    from events.groups g
    left join events.tenant_cursors c on c.tenant_id = tenant and c.group_name = g.name
    left join events.store_cursors s on s.group_name = g.name), 9223372036854775807)
    and not exists (select from events.parked_keys p where p.tenant_id = tenant)
  order by t.id desc
  limit 1
$$;
revoke execute on function events.consumed_snapshot(uuid) from public;
grant execute on function events.consumed_snapshot(uuid) to holdfast_app;
grant select (group_name, from_tick, generation, rewind_to) on events.store_cursors to holdfast_app;
insert into tenancy.exemptions (rule, object, reason, owner) values
  (1, 'events.store_cursors', 'how far stores have read the log of all tenants; says nothing of any of them', 'events');

-- Deletes rows of the leaves from `from_leaf` on, at most `leaf_count`, as far as the event `announced` says. Answers where the next
-- page begins, null where it may not be done now, and how many rows went. Raises HF033 for whoever has no business here.
create function tenancy.prune_log(announced uuid, from_leaf bigint, leaf_count int)
returns table (next_leaf bigint, deleted bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := tenancy.tenant_id();
  days int;
  said record;
  consumed pg_snapshot;
  ids uuid[];
  gone uuid[];
begin
  if tenancy.actor() is distinct from 'system:pruner' then
    raise exception 'only the retention prunes the log' using errcode = 'HF033';
  end if;
  select r.keep_days into days from audit.retention r where r.tenant_id = tenant for update;
  if days is null or exists (select from audit.legal_holds h where h.tenant_id = tenant and h.lifted_at is null) then
    return query select null::bigint, 0::bigint;
    return;
  end if;
  select e.seq, (e.data->>'epoch')::int as epoch, (e.data->>'prunedTo')::bigint as pruned_to into said
  from events.log e
  where e.tenant_id = tenant and e.id = announced and e.type = 'audit.log.pruned' and e.actor = 'system:pruner';
  if said.seq is null or from_leaf < 1 or leaf_count not between 1 and 4096 or from_leaf >= said.pruned_to
    or said.pruned_to > (
      select max(c.size) from audit.checkpoints c where c.tenant_id = tenant and c.epoch = said.epoch) then
    raise exception 'no event says that these leaves are pruned' using errcode = 'HF033';
  end if;
  if not exists (
      select from audit.leaves l
      where l.tenant_id = tenant and l.high_seq >= said.seq and l.first_seq <= said.seq
        and l.tile * 256 + array_position(l.event_ids, announced) - 1 < (
          select max(c.size) from audit.checkpoints c where c.tenant_id = tenant and c.epoch = l.epoch)) then
    raise exception 'the event that says so is not under a checkpoint' using errcode = 'HF033';
  end if;
  ids := array(
    select i.event_id
    from audit.leaves l
    cross join lateral unnest(l.event_ids) with ordinality i (event_id, at)
    where l.tenant_id = tenant and l.epoch = said.epoch
      and l.tile between from_leaf / 256 and (from_leaf + leaf_count - 1) / 256
      and l.tile * 256 + i.at - 1 >= from_leaf
      and l.tile * 256 + i.at - 1 < least(from_leaf + leaf_count, said.pruned_to));
  consumed := events.consumed_snapshot(tenant);
  if consumed is null or exists (
      select from events.log e
      where e.tenant_id = tenant and e.id = any (ids)
        and (e.occurred_at >= clock_timestamp() - make_interval(days => days) or not pg_visible_in_snapshot(e.xid, consumed))) then
    return query select null::bigint, 0::bigint;
    return;
  end if;
  update audit.epochs p set pruned_to = said.pruned_to
  where p.tenant_id = tenant and p.epoch = said.epoch and p.pruned_to < said.pruned_to;
  -- With each what was left of its stream before it, so that what stays of a stream is its end without a gap.
  with ended as (
    select v.stream_type, v.stream_id, max(v.stream_version) as through
    from events.log v
    where v.tenant_id = tenant and v.id = any (ids) and exists (
      select from events.log n
      where n.tenant_id = tenant and n.stream_type = v.stream_type and n.stream_id = v.stream_id
        and n.stream_version > v.stream_version)
    group by v.stream_type, v.stream_id
  ), pruned as (
    delete from events.log e using ended d
    where e.tenant_id = tenant and e.stream_type = d.stream_type and e.stream_id = d.stream_id and e.stream_version <= d.through
    returning e.id)
  select coalesce(array_agg(p.id), '{}') into gone from pruned p;
  delete from audit.disclosures d where d.tenant_id = tenant and d.event_id = any (gone);
  return query select least(from_leaf + leaf_count, said.pruned_to), cardinality(gone)::bigint;
end $$;
revoke execute on function tenancy.prune_log(uuid, bigint, int) from public;
grant execute on function tenancy.prune_log(uuid, bigint, int) to holdfast_app;

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 26 November 2026 does not list it, and may start again during the update',
  'audit', clock_timestamp() + interval '30 days'
from unnest(array['events.store_cursors', 'events.consumed_snapshot', 'tenancy.prune_log']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
