-- Prunes a page of the log stream by stream.
--
-- In one statement the planner chose how streams, what is behind them and what goes are joined. Where it had looked at the table before the
-- tenant came, it expected one row of it and nested three scans of all its rows: 600 rows took longer than a statement may take, at each
-- attempt, until the table was looked at again. Now nothing is joined: a stream's newest version and its rows are looked up by the stream.
--
-- Safe under load: replaces a function with the same arguments and the same answer.
set local role holdfast_owner;

create or replace function tenancy.prune_log(announced uuid, from_leaf bigint, leaf_count integer)
returns table(next_leaf bigint, deleted bigint)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  tenant uuid := tenancy.tenant_id();
  days int;
  said record;
  ended record;
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
  gone := '{}';
  for ended in
    select p.stream_type, p.stream_id, max(p.stream_version) as through
    from (
      select v.stream_type, v.stream_id, v.stream_version, (
        select max(n.stream_version) from events.log n
        where n.tenant_id = tenant and n.stream_type = v.stream_type and n.stream_id = v.stream_id) as newest
      from events.log v
      where v.tenant_id = tenant and v.id = any (ids)) p
    where p.stream_version < p.newest
    group by p.stream_type, p.stream_id
  loop
    with pruned as (
      delete from events.log e
      where e.tenant_id = tenant and e.stream_type = ended.stream_type and e.stream_id = ended.stream_id
        and e.stream_version <= ended.through
      returning e.id)
    select gone || coalesce(array_agg(p.id), '{}') into gone from pruned p;
  end loop;
  delete from audit.disclosures d where d.tenant_id = tenant and d.event_id = any (gone);
  return query select least(from_leaf + leaf_count, said.pruned_to), cardinality(gone)::bigint;
end $$;
