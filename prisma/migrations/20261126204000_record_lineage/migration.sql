-- Which database the log and its positions belong to, so that a restored one is noticed before anything is delivered from it.
--
-- Each row is a lineage that was adopted: a cluster (system identifier), its timeline, and an epoch that operators count
-- up. The newest one holds. `server_started_at` names the server process that was found to be of that lineage. Ticks and
-- deliveries compare it with their own server's start, which costs a row and no file: a restart, a failover or a restore is
-- another process, so everything stands still until one sequencer has looked who it is, and nothing is left to timing.
--
-- Safe under load: creates, and replaces functions in an instant.
set local role holdfast_owner;

create table events.lineage (
  id bigint generated always as identity primary key,
  epoch int not null check (epoch >= 1),
  -- Null where the platform lets nobody read it.
  system_identifier bigint,
  timeline int not null,
  server_started_at timestamptz not null,
  adopted_at timestamptz not null default clock_timestamp(),
  -- `first start`, `failover`, or the operator who bumped the epoch.
  adopted_by text not null,
  reason text not null,
  -- Set when the database was found to be another one; ticks and deliveries wait for an operator.
  stopped_at timestamptz,
  stopped_reason text check (stopped_reason in ('system', 'timeline', 'position', 'positions')),
  stopped_detail text,
  check ((stopped_at is null) = (stopped_reason is null))
) with (fillfactor = 50);
insert into tenancy.exemptions (rule, object, reason, owner) values
  (1, 'events.lineage', 'the lineage of the whole cluster; nothing in it is of a tenant', 'events'),
  (10, 'events.verify_lineage', 'writes only what it has found out itself about the server; the relay may not write that table', 'events'),
  (10, 'events.bump_epoch', 'writes one row about the server as it is, with a name and a reason; touches no tenant''s row', 'events');

-- What the cluster says about itself. A tick is newer than the server can be, or all ticks came in one transaction: then the
-- rows were loaded from a dump, and their transaction ids are those of another cluster. (Each genuine tick has committed
-- alone; freezing and pg_upgrade keep xmin.)
create function events.look_at_cluster(out system bigint, out line int, out flushed pg_lsn, out is_foreign boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  begin
    system := (select c.system_identifier from pg_control_system() c);
  exception when insufficient_privilege then
    system := null;
  end;
  flushed := pg_current_wal_flush_lsn();
  -- The control file says so only after the next checkpoint.
  line := ('x' || substr(pg_walfile_name(flushed), 1, 8))::bit(32)::int;
  is_foreign := coalesce((
      select pg_snapshot_xmax(t.snapshot) > pg_snapshot_xmax(pg_current_snapshot()) from events.ticks t order by t.id desc limit 1), false)
    or (select count(*) > 1 and count(distinct t.xmin::text) = 1
        from (select n.xmin from events.ticks n where n.id > 0 order by n.id desc limit 100) t);
end $$;

-- Looks which database this is; answers the lineage that holds, why events are stopped (null: they are not), and how far
-- the WAL is on disk. `seen` is how far this caller has seen it in `seen_epoch`: WAL that was on disk and is not there any
-- more says that the files are older than the process. Whoever looks first at another server process decides for all:
--   system     the system identifier differs: another cluster, or pg_upgrade;
--   timeline   the same cluster on another timeline: a restore, or a standby that was promoted (`continue_on_failover`
--              accepts that, unless the timeline began more than 64 MB before what was seen: that is a restore);
--   position   WAL that was seen is gone: files were put back as they had been;
--   positions  the ticks are those of another cluster.
-- Right under concurrency: the row is locked before anything is decided, and looked at again; adopting the first lineage
-- and bumping the epoch hold a lock on the table that excludes each other.
create function events.verify_lineage(seen pg_lsn, seen_epoch int, continue_on_failover boolean,
  out current_epoch int, out why text, out detail text, out since timestamptz, out flushed_to pg_lsn)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held events.lineage;
  now_is record;
begin
  select l.* into held from events.lineage l order by l.id desc limit 1;
  if held.stopped_at is null and held.server_started_at = pg_postmaster_start_time()
     and (seen is null or seen_epoch is distinct from held.epoch or seen <= pg_current_wal_flush_lsn()) then
    current_epoch := held.epoch;
    flushed_to := pg_current_wal_flush_lsn();
    return;
  end if;

  lock table events.lineage in share row exclusive mode;
  select * into now_is from events.look_at_cluster();
  flushed_to := now_is.flushed;
  select l.* into held from events.lineage l order by l.id desc limit 1;
  if held.id is null then
    insert into events.lineage (epoch, system_identifier, timeline, server_started_at, adopted_by, reason,
      stopped_at, stopped_reason, stopped_detail)
    select 1, now_is.system, now_is.line, pg_postmaster_start_time(), 'first start', 'no lineage was known',
      case when now_is.is_foreign then clock_timestamp() end, case when now_is.is_foreign then 'positions' end,
      case when now_is.is_foreign then 'the ticks are not of this cluster' end
    returning * into held;
  elsif held.stopped_at is null then
    if held.system_identifier <> now_is.system then
      why := 'system';
      detail := format('system identifier %s instead of %s', now_is.system, held.system_identifier);
    elsif now_is.is_foreign then
      why := 'positions';
      detail := 'the ticks are not of this cluster';
    elsif now_is.line <> held.timeline and not (continue_on_failover and now_is.line > held.timeline
        and coalesce(seen_epoch is distinct from held.epoch or seen <= now_is.flushed + 67108864, true)) then
      why := 'timeline';
      detail := format('timeline %s instead of %s', now_is.line, held.timeline);
    elsif now_is.line = held.timeline and seen_epoch = held.epoch and seen > now_is.flushed then
      why := 'position';
      detail := format('WAL ends at %s, and was seen at %s', now_is.flushed, seen);
    end if;
    if why is not null then
      update events.lineage l set stopped_at = clock_timestamp(), stopped_reason = why, stopped_detail = detail
      where l.id = held.id
      returning l.* into held;
    elsif now_is.line <> held.timeline then
      insert into events.lineage (epoch, system_identifier, timeline, server_started_at, adopted_by, reason)
      values (held.epoch, now_is.system, now_is.line, pg_postmaster_start_time(), 'failover',
        format('from timeline %s, as EVENTS_ON_FAILOVER says', held.timeline))
      returning * into held;
    elsif held.server_started_at <> pg_postmaster_start_time() then
      update events.lineage l set server_started_at = pg_postmaster_start_time() where l.id = held.id;
    end if;
  end if;
  current_epoch := held.epoch;
  why := held.stopped_reason;
  detail := held.stopped_detail;
  since := held.stopped_at;
end $$;

-- Adopts the database as it is, in a further epoch: ticks and deliveries go on from the cursors as they stand. That is right
-- where log, ticks and cursors went back together, which a physical restore sees to. Raises HF014 where the positions are of
-- another cluster: they mean nothing here, and which events each cursor has passed cannot be told from seq alone.
create function events.bump_epoch(by_operator text, why text) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  now_is record;
  next_epoch int;
begin
  if coalesce(by_operator, '') = '' or coalesce(why, '') = '' then
    raise exception 'who bumps the epoch, and why?' using errcode = '22023';
  end if;
  lock table events.lineage in share row exclusive mode;
  select * into now_is from events.look_at_cluster();
  if now_is.is_foreign then
    raise exception 'the log was loaded from a dump: its positions are those of another cluster' using errcode = 'HF014';
  end if;
  insert into events.lineage (epoch, system_identifier, timeline, server_started_at, adopted_by, reason)
  select coalesce(max(l.epoch), 0) + 1, now_is.system, now_is.line, pg_postmaster_start_time(), by_operator, left(why, 500)
  from events.lineage l
  returning epoch into next_epoch;
  return next_epoch;
end $$;

revoke execute on function events.look_at_cluster(),
  events.verify_lineage(pg_lsn, int, boolean), events.bump_epoch(text, text) from public;
grant execute on function events.verify_lineage(pg_lsn, int, boolean) to holdfast_relay;
grant execute on function events.bump_epoch(text, text) to holdfast_ops;
grant select on events.lineage to holdfast_relay, holdfast_ops;
-- A tenant's consumers need whether to go on; what is wrong is the operator's.
grant select (id, stopped_at, server_started_at) on events.lineage to holdfast_app;

-- As before (see the migration that created it), and raises HF013 where the server has not been looked at, or events are
-- stopped. Answers besides how old the oldest of the events was.
drop function events.tick(text, bigint, int);
create function events.tick(by_holder text, with_fence bigint, lease_ms int)
returns table (new_tick bigint, new_events bigint, new_tenants uuid[], new_lag_ms float8)
language plpgsql set enable_seqscan = off set max_parallel_workers_per_gather = 0 as $$
declare
  expiry timestamptz;
  renew_below timestamptz := clock_timestamp() + make_interval(secs => lease_ms * 2 / 3000.0);
  last_id bigint;
  last_snapshot pg_snapshot;
  xmax_of_last xid8;
  open_in_last xid8[];
  snapshot_now pg_snapshot;
  seq_min bigint;
  seq_max bigint;
begin
  select l.expires_at into expiry from events.leases l
  where l.name = 'sequencer' and l.holder = by_holder and l.fence = with_fence;
  if not found then
    raise exception 'the lease of the sequencer has gone to another holder' using errcode = 'HF010';
  end if;
  if not coalesce((
      select l.stopped_at is null and l.server_started_at = pg_postmaster_start_time()
      from events.lineage l order by l.id desc limit 1), true) then
    raise exception 'the lineage of the database is not verified' using errcode = 'HF013';
  end if;
  select t.id, t.snapshot, pg_snapshot_xmax(t.snapshot), array(select pg_snapshot_xip(t.snapshot))
  into last_id, last_snapshot, xmax_of_last, open_in_last
  from events.ticks t order by t.id desc limit 1;
  if expiry > renew_below
     and not exists (select from events.log e where e.xid >= xmax_of_last)
     and not exists (select from events.log e where e.xid = any (open_in_last)) then
    return;
  end if;

  perform from events.leases l
  where l.name = 'sequencer' and l.holder = by_holder and l.fence = with_fence
  for no key update;
  if not found then
    raise exception 'the lease of the sequencer has gone to another holder' using errcode = 'HF010';
  end if;
  perform set_config('synchronous_commit', 'off', true);
  if expiry <= renew_below then
    update events.leases l set expires_at = clock_timestamp() + make_interval(secs => lease_ms / 1000.0)
    where l.name = 'sequencer';
  end if;

  -- Another tick of this same holder may have gone first.
  select t.id, t.snapshot, pg_snapshot_xmax(t.snapshot), array(select pg_snapshot_xip(t.snapshot))
  into last_id, last_snapshot, xmax_of_last, open_in_last
  from events.ticks t order by t.id desc limit 1;
  select pg_current_snapshot(), count(*), min(e.seq), max(e.seq), array_agg(distinct e.tenant_id),
    extract(epoch from clock_timestamp() - min(e.occurred_at)) * 1000
  into snapshot_now, new_events, seq_min, seq_max, new_tenants, new_lag_ms
  from (
    select l.seq, l.tenant_id, l.occurred_at from events.log l where l.xid >= xmax_of_last
    union all
    select l.seq, l.tenant_id, l.occurred_at from events.log l where l.xid = any (open_in_last)
  ) e;
  if pg_snapshot_xmin(snapshot_now) < pg_snapshot_xmin(last_snapshot) or pg_snapshot_xmax(snapshot_now) < xmax_of_last then
    raise exception 'snapshot % is older than tick % (%)', snapshot_now, last_id, last_snapshot using errcode = 'HF011';
  end if;
  if new_events = 0 then
    return;
  end if;

  new_tick := last_id + 1;
  insert into events.ticks (id, snapshot, event_count, first_seq, last_seq, wal_lsn, fence)
  values (new_tick, snapshot_now, new_events, seq_min, seq_max, pg_current_wal_insert_lsn(), with_fence);
  insert into events.heads (tenant_id, tick)
  select unnest(new_tenants), new_tick
  on conflict (tenant_id) do update set tick = excluded.tick;
  -- For listeners outside; one per non-empty tick, since every NOTIFY takes a lock of the whole cluster at commit.
  perform pg_notify('holdfast_tick', new_tick::text);
  return next;
end $$;
revoke execute on function events.tick(text, bigint, int) from public;
grant execute on function events.tick(text, bigint, int) to holdfast_relay;

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 26 November 2026 does not list it, and may start again during the update',
  'events', clock_timestamp() + interval '30 days'
from unnest(array['events.lineage', 'events.verify_lineage', 'events.bump_epoch']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
