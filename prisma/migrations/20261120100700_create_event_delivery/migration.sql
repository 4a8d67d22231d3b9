-- Ticks, which give the event log its order, and the cursors of those who read it.
--
-- A tick stores a snapshot. Between two ticks stand the events that the later snapshot shows and the earlier does not;
-- within them seq decides. If T1 committed before T2 drew its seq (a lock on their common key sees to that), then
-- seq1 < seq2, and every snapshot that shows T2 shows T1. So this order is real order per key, for *any* two snapshots of
-- which one was taken after the other: ticks between them can be thinned, and a reader may jump from any to any later
-- one. Nothing is lost, because an event that commits late, whatever its seq or xid, is simply not visible in the earlier
-- snapshot. A cursor is therefore (from_tick, to_tick, after_seq): what from_tick shows is done; to_tick is the end
-- that was chosen when the range was begun; up to after_seq the range is done.
--
-- Safe under load: creates only.
set local role holdfast_owner;

-- A leader's right to act, until it expires. `fence` counts holders: what a leader writes is accepted with the current
-- fence only, so one that slept through its expiry is refused, however sure it is of itself.
create table events.leases (
  name text primary key,
  holder text,
  fence bigint not null default 0,
  expires_at timestamptz not null default '-infinity'
) with (fillfactor = 50);
insert into events.leases (name) values ('sequencer');

create table events.ticks (
  id bigint primary key,
  snapshot pg_snapshot not null,
  -- What became visible since the tick before this one, when it was made.
  event_count bigint not null,
  first_seq bigint,
  last_seq bigint,
  wal_lsn pg_lsn not null,
  fence bigint not null,
  created_at timestamptz not null default clock_timestamp()
);
-- Where every reader may begin: xids start at 3, so this snapshot shows nothing. It is never thinned.
insert into events.ticks (id, snapshot, event_count, wal_lsn, fence) values (0, '1:1:', 0, '0/0', 0);

-- The last tick that holds an event of the tenant.
create table events.heads (
  tenant_id uuid primary key,
  tick bigint not null
) with (fillfactor = 70);
insert into tenancy.exemptions (rule, object, reason, owner) values
  (1, 'events.ticks', 'snapshots of transaction ids, which belong to no tenant; the application reads them and nothing more', 'events'),
  (1, 'events.heads', 'written and read by the sequencer for all tenants at once; the application role has no grant', 'events');

-- One row per tenant and group. It moves in the transaction of the group's effect: that is what makes the effect happen
-- once. `attempts` and `retry_at` speak of the page behind the cursor, and are set in a transaction of their own.
create table events.tenant_cursors (
  tenant_id uuid not null,
  group_name text not null,
  from_tick bigint not null default 0,
  to_tick bigint,
  after_seq bigint not null default 0,
  attempts int not null default 0,
  retry_at timestamptz,
  last_error text,
  primary key (tenant_id, group_name),
  check (to_tick > from_tick)
) with (fillfactor = 70);
select tenancy.protect('events.tenant_cursors', readers => '{holdfast_relay}');

-- One row per store group. `through_seq` is the end of a batch that may have been sent: it is committed before the batch
-- leaves, so whoever comes next sends exactly the same events again, under the same token.
create table events.store_cursors (
  group_name text primary key,
  from_tick bigint not null default 0,
  to_tick bigint,
  after_seq bigint not null default 0,
  through_seq bigint,
  attempts int not null default 0,
  retry_at timestamptz,
  last_error text,
  check (to_tick > from_tick),
  check (through_seq > after_seq)
) with (fillfactor = 50);

grant select, update on events.leases to holdfast_relay;
grant select, insert, delete on events.ticks to holdfast_relay;
grant select, insert, update on events.heads, events.store_cursors to holdfast_relay;
grant select on events.tenant_cursors to holdfast_relay;
-- A tenant's consumers need the ends of their ranges; counts and seqs of all tenants are none of their business.
grant select (id, snapshot) on events.ticks to holdfast_app;
grant select, insert, update on events.tenant_cursors to holdfast_app;

-- Makes a tick if an event has become visible since the last one, and answers its id, its count and its tenants; else
-- answers no row. Raises HF010 for a holder whose lease has gone to another. Renews the lease when a third of it is gone.
--
-- Right under concurrency:
-- * The look that comes first takes no lock and decides nothing but whether to go on, so an idle log costs no write.
-- * Holding the lease's row lock, this is the only tick under way, and the tick before it has committed. The snapshot is
--   taken in a statement that begins afterwards (READ COMMITTED: one snapshot per statement). In one statement with the
--   lock, the snapshot would be older than the wait for it, and could be older than the predecessor's: an event of the
--   predecessor would come twice.
-- * Snapshot and events are read by one statement, so what is counted is what the stored snapshot shows.
-- * A snapshot that went back (a foreign cluster, a restored one) would deliver twice or skip, and is refused.
-- * The commit need not wait for the disk: WAL is written in order, so the commit of whoever names this tick makes the tick
--   durable too; and every xid below its xmax has ended, with a record in the WAL, before the tick's own record. A crash
--   can therefore lose ticks that nobody has used, and can never give an xid again that a surviving tick has passed.
-- What the last snapshot did not show has an xid at or above its xmax, or among those it lists as open. The two are asked
-- separately, each by the index on xid: joined by `or`, PostgreSQL reads the whole index where it lacks statistics.
create function events.tick(by_holder text, with_fence bigint, lease_ms int)
returns table (new_tick bigint, new_events bigint, new_tenants uuid[])
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
  select t.id, t.snapshot into last_id, last_snapshot from events.ticks t order by t.id desc limit 1;
  xmax_of_last := pg_snapshot_xmax(last_snapshot);
  open_in_last := array(select pg_snapshot_xip(last_snapshot));
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
  select t.id, t.snapshot into last_id, last_snapshot from events.ticks t order by t.id desc limit 1;
  xmax_of_last := pg_snapshot_xmax(last_snapshot);
  open_in_last := array(select pg_snapshot_xip(last_snapshot));
  select pg_current_snapshot(), count(*), min(e.seq), max(e.seq), array_agg(distinct e.tenant_id)
  into snapshot_now, new_events, seq_min, seq_max, new_tenants
  from (
    select l.seq, l.tenant_id from events.log l where l.xid >= xmax_of_last
    union all
    select l.seq, l.tenant_id from events.log l where l.xid = any (open_in_last)
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
grant execute on function events.tick(text, bigint, int) to holdfast_relay;

-- The events of a tenant in a range, in order of seq, behind after_seq. Row-level security applies: the function runs as
-- its caller. Raises HF012 when one of the ticks is gone, where joining would silently find no events.
--
-- Reads ticks that have committed, so everything that the later snapshot shows is visible to this statement as well.
-- Planned at each call (a generic plan does not know how near the end of the index a snapshot is).
create function events.read_tenant_range(tenant uuid, from_tick bigint, to_tick bigint, after_seq bigint, page_size int)
returns setof events.log
language plpgsql stable set plan_cache_mode = force_custom_plan set max_parallel_workers_per_gather = 0 as $$
declare
  earlier pg_snapshot := (select t.snapshot from events.ticks t where t.id = from_tick);
  later pg_snapshot := (select t.snapshot from events.ticks t where t.id = to_tick);
  xmax_earlier xid8 := pg_snapshot_xmax(earlier);
  xmax_later xid8 := pg_snapshot_xmax(later);
  open_earlier xid8[] := array(select pg_snapshot_xip(earlier));
begin
  if earlier is null or later is null then
    raise exception 'tick % or % is gone', from_tick, to_tick using errcode = 'HF012';
  end if;
  return query
    select e.*
    from events.log e
    where e.tenant_id = tenant
      and (e.xid = any (open_earlier) or (e.xid >= xmax_earlier and e.xid < xmax_later))
      and e.seq > after_seq
      and pg_visible_in_snapshot(e.xid, later)
      and not pg_visible_in_snapshot(e.xid, earlier)
    order by e.seq
    limit page_size;
end $$;
grant execute on function events.read_tenant_range(uuid, bigint, bigint, bigint, int) to holdfast_app;

-- The same for all tenants, up to through_seq when that is given.
create function events.read_range(from_tick bigint, to_tick bigint, after_seq bigint, through_seq bigint, page_size int)
returns setof events.log
language plpgsql stable set plan_cache_mode = force_custom_plan set max_parallel_workers_per_gather = 0 as $$
declare
  earlier pg_snapshot := (select t.snapshot from events.ticks t where t.id = from_tick);
  later pg_snapshot := (select t.snapshot from events.ticks t where t.id = to_tick);
  xmax_earlier xid8 := pg_snapshot_xmax(earlier);
  xmax_later xid8 := pg_snapshot_xmax(later);
  open_earlier xid8[] := array(select pg_snapshot_xip(earlier));
begin
  if earlier is null or later is null then
    raise exception 'tick % or % is gone', from_tick, to_tick using errcode = 'HF012';
  end if;
  return query
    select e.*
    from events.log e
    where (e.xid = any (open_earlier) or (e.xid >= xmax_earlier and e.xid < xmax_later))
      and e.seq > after_seq
      and (through_seq is null or e.seq <= through_seq)
      and pg_visible_in_snapshot(e.xid, later)
      and not pg_visible_in_snapshot(e.xid, earlier)
    order by e.seq
    limit page_size;
end $$;
grant execute on function events.read_range(bigint, bigint, bigint, bigint, int) to holdfast_relay;
